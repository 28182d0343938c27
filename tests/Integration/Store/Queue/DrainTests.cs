using Npgsql;
using Temper.Store.Queue;

namespace Temper.Integration.Store.Queue;

public class DrainTests : QueueTest
{
    [Fact]
    public async Task Drain_OfAWorker_EndsItsClaimsAndLeavesItsJobs()
    {
        var (running, next) = (await SubmitAndClaimAsync(), await SubmitAsync());

        Assert.True(await Queue.DrainWorkerAsync(Worker.Id, default));
        Assert.True(await Queue.DrainWorkerAsync(Worker.Id, default));
        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
        Assert.Single(await Queue.HeartbeatAsync(Worker, [new(running, null)], null, default));
        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
        Assert.True(await Queue.SucceedAsync(running, Result, Model, default));

        Assert.Equal(next, (await ClaimAsync(await RegisterAsync())).Id);
    }

    [Fact]
    public async Task Load_CountsWorkersByTheStateThatTheyHave()
    {
        var (draining, drained, silent) = (await RegisterAsync(), await RegisterAsync(), await RegisterAsync());
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 3), [], "test", default);
        await SubmitAsync();
        await ClaimAsync(draining);
        await Queue.DrainWorkerAsync(draining.Id, default);
        await Queue.DrainWorkerAsync(drained.Id, default);
        await Database.ExecuteAsync(
            $"UPDATE workers SET heartbeat_at = now() - interval '1 min', draining = true WHERE id = '{silent.Id}'"
        );

        Assert.Equal(
            ["alive 1 1", "drained 1 1", "draining 1 1", "silent 1 1", "suspended 1 3"],
            Queue.ReadLoad().Workers.Select(load => $"{load.State} {load.Workers} {load.Slots}").Order()
        );
    }

    [Fact]
    public async Task Resume_OfADrainedWorker_WakesItAndLetsItClaim()
    {
        var id = await SubmitAsync();
        await Queue.DrainWorkerAsync(Worker.Id, default);
        await using var listener = await ListenAsync();
        var heard = new TaskCompletionSource<string>();
        listener.Notification += (_, notice) => heard.TrySetResult(notice.Payload);

        Assert.True(await Queue.ResumeWorkerAsync(Worker.Id, default));

        await listener.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal("queued", await heard.Task);
        Assert.Equal(id, (await ClaimAsync()).Id);
    }

    [Fact]
    public async Task Drain_OfAWorkerThatIsNotThere_IsFalse()
    {
        Assert.False(await Queue.DrainWorkerAsync(Guid.NewGuid(), default));
        Assert.False(await Queue.ResumeWorkerAsync(Guid.NewGuid(), default));
    }

    /// <summary>
    /// The claim began first, and waits for a lock when the drain commits. Its statement still sees the worker as it was before.
    /// </summary>
    [Fact]
    public async Task Claim_ThatWaitsWhileTheDrainCommits_TakesNothing()
    {
        await SubmitAsync();
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand($"SELECT FROM workers WHERE id = '{Worker.Id}' FOR UPDATE", connection);
        await hold.ExecuteNonQueryAsync();
        var claim = Queue.ClaimAsync(Worker.Id, false, default);
        await UntilOneWaitsAsync();

        await using var drain = new NpgsqlCommand($"UPDATE workers SET draining = true WHERE id = '{Worker.Id}'", connection);
        await drain.ExecuteNonQueryAsync();
        await transaction.CommitAsync();

        Assert.Null(await claim);
    }

    /// <summary>The claim's transaction is under way when the drain begins.</summary>
    [Fact]
    public async Task Drain_WhileAClaimIsUnderWay_WaitsForIt()
    {
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var claim = new NpgsqlCommand($"SELECT FROM workers WHERE id = '{Worker.Id}' FOR KEY SHARE", connection))
            await claim.ExecuteNonQueryAsync();
        var drain = Queue.DrainWorkerAsync(Worker.Id, default);
        await UntilOneWaitsAsync();
        await Queue.HeartbeatAsync(Worker, [], null, default); // passes both locks
        Assert.False(drain.IsCompleted);

        await transaction.CommitAsync();

        Assert.True(await drain);
    }

    [Fact]
    public async Task Drain_WhileSlotsClaim_IsFollowedByNoClaim()
    {
        for (var i = 0; i < 400; i++)
            await SubmitAsync();
        var drained = false;
        var late = 0;
        var slots = Enumerable.Range(0, 6).Select(_ => Task.Run(ClaimUntilDrainedAsync)).ToList();
        await Eventually.TrueAsync(async () => await RunningAsync() > 20);

        await Queue.DrainWorkerAsync(Worker.Id, default);
        var running = await RunningAsync();
        Volatile.Write(ref drained, true);
        await Task.WhenAll(slots);

        Assert.Equal((0, running), (late, await RunningAsync()));

        async Task ClaimUntilDrainedAsync()
        {
            while (true)
            {
                var isLate = Volatile.Read(ref drained);
                if (await Queue.ClaimAsync(Worker.Id, false, default) is not null && isLate)
                    Interlocked.Increment(ref late);
                if (isLate)
                    return;
            }
        }

        Task<long> RunningAsync() => Database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE state = 'running'");
    }

    /// <summary>An idle worker polls every second, so a poll must not write.</summary>
    [Fact]
    public async Task Claim_WithNothingQueued_LocksNothing()
    {
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var held = new NpgsqlCommand($"SELECT FROM workers WHERE id = '{Worker.Id}' FOR UPDATE", connection))
            await held.ExecuteNonQueryAsync();

        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default).WaitAsync(TimeSpan.FromSeconds(20)));
    }
}
