using Temper.Store.Engine;

namespace Temper.Worker.Slots;

/// <summary>Runs one job at a time.</summary>
internal interface ISlot : IAsyncDisposable
{
    /// <summary>The job this slot holds, if it holds one.</summary>
    Attempt? Attempt { get; }

    /// <summary>Whether the last claim failed or was not tried; the caller then waits before the next one.</summary>
    bool HasFailed { get; }

    /// <summary>Looks once for a job.</summary>
    /// <returns>The claimed attempt, which the slot holds until it is carried out or handed back; null for none.</returns>
    /// <exception cref="OperationCanceledException">The worker is stopping.</exception>
    Task<Attempt?> TryClaimAsync(CancellationToken stopping);

    /// <returns>The outcome, for Hangfire.</returns>
    Task<AttemptResult> CarryOutAsync(Attempt attempt, CancellationToken stopping);

    /// <summary>Gives back a claim that was not carried out; the attempt does not count.</summary>
    Task HandBackAsync(Attempt attempt, string reason);
}
