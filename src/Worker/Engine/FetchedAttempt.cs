using Hangfire.Storage;
using Temper.Worker.Slots;

namespace Temper.Worker.Engine;

/// <summary>
/// A claimed attempt on its way through Hangfire, with the slot that is to carry it out. It is begun once, or handed back: Hangfire
/// disposes of it in every case, also after it ran.
/// </summary>
internal sealed class FetchedAttempt(ClaimingQueue queue, ISlot slot, Attempt attempt, string jobId) : IFetchedJob
{
    private int begun;

    public string JobId => jobId;

    public ISlot Slot => slot;

    public Attempt Attempt => attempt;

    public bool TryBegin() => Interlocked.Exchange(ref begun, 1) == 0;

    /// <summary>The jobs table knows when it is over.</summary>
    public void RemoveFromQueue() { }

    /// <summary>The jobs table decides whether it runs again.</summary>
    public void Requeue() { }

    public void Dispose()
    {
        if (TryBegin())
            queue.HandBack(this);
    }
}
