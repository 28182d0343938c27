using Temper.Store.Engine;

namespace Temper.Worker.Slots;

/// <summary>A place for one job at a time.</summary>
internal interface ISlot : IAsyncDisposable
{
    /// <summary>The job this slot holds, if it holds one.</summary>
    Attempt? Attempt { get; }

    /// <summary>Whether the last look for work failed: the next one waits for a while.</summary>
    bool HasFailed { get; }

    /// <summary>Looks once for a job.</summary>
    /// <returns>The claimed attempt, which this slot holds until it is carried out or handed back; null when there is none.</returns>
    /// <exception cref="OperationCanceledException">It is time to stop.</exception>
    Task<Attempt?> TryClaimAsync(CancellationToken stopping);

    /// <returns>How it ended.</returns>
    Task<AttemptResult> CarryOutAsync(Attempt attempt, CancellationToken stopping);

    /// <summary>Gives back a claim that was not carried out, uncounted.</summary>
    Task HandBackAsync(Attempt attempt, string reason);
}
