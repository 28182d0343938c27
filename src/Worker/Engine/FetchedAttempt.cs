using Hangfire.Storage;
using Temper.Worker.Slots;

namespace Temper.Worker.Engine;

/// <summary>
/// A claimed attempt that Hangfire holds, with the slot that will carry it out. Either it begins once, or <see cref="Dispose"/>
/// hands it back. Hangfire disposes of it in every case, also after it ran.
/// </summary>
internal sealed class FetchedAttempt(ClaimingQueue queue, ISlot slot, Attempt attempt, string jobId) : IFetchedJob
{
    private int begun;

    public string JobId => jobId;

    public ISlot Slot => slot;

    public Attempt Attempt => attempt;

    public bool TryBegin() => Interlocked.Exchange(ref begun, 1) == 0;

    /// <summary>Does nothing: the jobs table records when the attempt is over.</summary>
    public void RemoveFromQueue() { }

    /// <summary>Does nothing: the jobs table decides whether the job runs again.</summary>
    public void Requeue() { }

    public void Dispose()
    {
        if (TryBegin())
            queue.HandBack(this);
    }
}
