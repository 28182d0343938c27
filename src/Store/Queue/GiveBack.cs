namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    private static readonly string HandBack = EndStopped(Held);

    private static readonly string GiveBack = End(Held, AfterFailure, outcome: "'failed'", counted: 1, Backoff);

    private static string EndStopped(string which) =>
        End(
            which,
            AfterStop,
            outcome: "CASE next WHEN 'queued' THEN 'handed_back' ELSE next END",
            counted: 0,
            reason: $"CASE next WHEN 'queued' THEN @reason ELSE {ReasonOfStop} END"
        );

    /// <summary>
    /// Ends an attempt that was stopped without an error. The job moves from running to cancelled or paused if a stop request is
    /// pending, otherwise to queued without a delay. No failure is counted.
    /// </summary>
    /// <param name="reason">The reason that is recorded when no stop request is pending.</param>
    /// <returns>False when the worker no longer holds the job.</returns>
    public Task<bool> HandBackAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        EndAsync(HandBack, job.Id, job.Attempt, reason, errorOutput: null, cancellationToken);

    /// <summary>
    /// Ends a failed attempt. The job moves from running to queued with a backoff, to failed when its attempts are used up,
    /// or to cancelled or paused when a stop request is pending.
    /// </summary>
    /// <param name="errorOutput">The last lines of the runner's standard error; null when it did not cause the failure.</param>
    /// <returns>False when the worker no longer holds the job.</returns>
    public Task<bool> GiveBackAsync(ClaimedJob job, string reason, string? errorOutput, CancellationToken cancellationToken) =>
        EndAsync(GiveBack, job.Id, job.Attempt, reason, errorOutput, cancellationToken);
}
