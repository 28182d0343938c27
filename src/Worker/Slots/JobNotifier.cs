namespace Temper.Worker.Slots;

/// <summary>
/// Wakes the threads that wait for work. A thread misses no notice if it reads <see cref="NextNotice"/> before it looks for
/// work.
/// </summary>
internal sealed class JobNotifier
{
    private TaskCompletionSource next = NewNotice();

    public Task NextNotice => Volatile.Read(ref next).Task;

    public void Notify() => Interlocked.Exchange(ref next, NewNotice()).TrySetResult();

    private static TaskCompletionSource NewNotice() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
