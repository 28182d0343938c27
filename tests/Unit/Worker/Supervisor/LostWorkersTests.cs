using Temper.Store.Queue;
using Temper.Worker.Supervisor;

namespace Temper.Unit.Worker.Supervisor;

public class LostWorkersTests
{
    private static readonly Guid Watcher = Guid.NewGuid(),
        Worker = Guid.NewGuid();
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly LostWorkers lost = new(Watcher, lease: TimeSpan.FromSeconds(30));

    [Fact]
    public void Judge_LockGoneAndHeartbeatOld_IsLostAfterThreeSecondsOfWatching()
    {
        // The worker is dead since 0 and watched from 0.5 on.
        Assert.False(See(at: 0.5, present: false, heartbeat: 0));
        Assert.False(See(at: 3.4, present: false, heartbeat: 0));
        Assert.True(See(at: 3.6, present: false, heartbeat: 0));
    }

    [Fact]
    public void Judge_LockGoneButHeartbeatsGoOn_IsNotLost()
    {
        // The worker's presence connection dropped; the worker itself works.
        for (var t = 0.0; t < 20; t += 0.5)
            Assert.False(See(at: t, present: false, heartbeat: t - 1));
    }

    [Fact]
    public void Judge_LockBackInBetween_StartsWatchingAnew()
    {
        See(at: 0, present: false, heartbeat: -10);
        See(at: 2, present: true, heartbeat: -10);

        Assert.False(See(at: 3.5, present: false, heartbeat: -10));
        Assert.False(See(at: 6, present: false, heartbeat: -10));
        Assert.True(See(at: 6.5, present: false, heartbeat: -10));
    }

    [Fact]
    public void Judge_FirstLookAfterAnOutage_LosesNobody()
    {
        // After an outage of a minute every lock is gone and every heartbeat is old. Every worker gets three seconds to come
        // back.
        Assert.False(See(at: 60, present: false, heartbeat: 0));
        Assert.False(See(at: 61, present: true, heartbeat: 60.9));
    }

    [Fact]
    public void Judge_StalledWithinItsLease_IsNotLost()
    {
        // After SIGSTOP the connection stays open and no heartbeat comes.
        for (var t = 0.0; t < 30; t += 0.5)
            Assert.False(See(at: t, present: true, heartbeat: 0));
    }

    [Fact]
    public void Judge_StalledBeyondItsLease_IsLost()
    {
        for (var t = 28.0; t < 33; t += 0.5)
            Assert.False(See(at: t, present: true, heartbeat: 0));
        Assert.True(See(at: 33.5, present: true, heartbeat: 0));
    }

    [Fact]
    public void Judge_WorkerWithoutJobsMeanwhile_IsForgotten()
    {
        See(at: 0, present: false, heartbeat: -10);
        lost.Judge([Self(at: 1, heartbeat: 1)]);

        Assert.False(See(at: 5, present: false, heartbeat: -10));
    }

    [Fact]
    public void Judge_WhileTheWatchersOwnHeartbeatsAreNotStored_LosesNobody()
    {
        // On a full disk connections stay open and reads work, but no worker can store a heartbeat.
        for (var t = 0.0; t < 100; t += 0.5)
            Assert.False(See(at: t, present: true, heartbeat: 0, own: Math.Min(t, 1)));

        // The disk has room again. Every worker gets three seconds to store a heartbeat.
        Assert.False(See(at: 100.5, present: true, heartbeat: 0, own: 100.4));
        Assert.False(See(at: 103, present: true, heartbeat: 0, own: 102.4));
        Assert.True(See(at: 103.5, present: true, heartbeat: 0, own: 103.4));
    }

    [Fact]
    public void Judge_TheWatcherItself_IsNeverLost() =>
        Assert.Empty(new LostWorkers(Watcher, TimeSpan.FromSeconds(1)).Judge([new(Watcher, false, Start, Start.AddSeconds(2.5))]));

    private bool See(double at, bool present, double heartbeat, double? own = null) =>
        lost.Judge([Self(at, own ?? at), new(Worker, present, Start.AddSeconds(heartbeat), Start.AddSeconds(at))]).Count == 1;

    private static WorkerSighting Self(double at, double heartbeat) =>
        new(Watcher, true, Start.AddSeconds(heartbeat), Start.AddSeconds(at));
}
