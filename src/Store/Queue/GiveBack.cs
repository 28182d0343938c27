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
    /// Ends an attempt that was stopped while all was well: running → cancelled or paused, where its user has asked for that by now, or
    /// → queued at once. No failure is counted.
    /// </summary>
    /// <param name="reason">Why, where it was not its user.</param>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> HandBackAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        EndAsync(HandBack, job.Id, job.Attempt, reason, errorOutput: null, cancellationToken);

    /// <summary>
    /// Ends a failed attempt: running → queued, with backoff; → failed when the attempts are used up; or cancelled or
    /// paused, where its user asked for that.
    /// </summary>
    /// <param name="errorOutput">The last lines of the runner's standard error, where it has anything to do with it.</param>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> GiveBackAsync(ClaimedJob job, string reason, string? errorOutput, CancellationToken cancellationToken) =>
        EndAsync(GiveBack, job.Id, job.Attempt, reason, errorOutput, cancellationToken);
}
