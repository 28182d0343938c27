namespace Temper.Worker.Slots;

/// <summary>
/// Wakes one of the threads that wait for work. A notice that comes while none waits is kept for the next wait, so a thread that
/// looks for work and then waits misses none. A thread that found work notifies in its turn, because there may be more.
/// </summary>
internal sealed class JobNotifier : IDisposable
{
    private readonly AutoResetEvent notice = new(false);

    public void Notify() => notice.Set();

    /// <summary>Blocks until a notice comes, the time is over or the worker stops.</summary>
    public void Wait(TimeSpan atMost, CancellationToken stopping) => WaitHandle.WaitAny([notice, stopping.WaitHandle], atMost);

    public void Dispose() => notice.Dispose();
}
