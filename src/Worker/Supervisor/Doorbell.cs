namespace Temper.Worker.Supervisor;

/// <summary>Wakes everyone who waits for work. Who takes <see cref="NextRing"/> before looking for work misses no ring.</summary>
internal sealed class Doorbell
{
    private TaskCompletionSource next = NewRing();

    public Task NextRing => Volatile.Read(ref next).Task;

    public void Ring() => Interlocked.Exchange(ref next, NewRing()).TrySetResult();

    private static TaskCompletionSource NewRing() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
