namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>running → queued, for a healthy job whose worker shuts down: no failure counted, no wait.</summary>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> HandBackAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        WriteAsync(
            $"""
            UPDATE jobs
            SET state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'queued' END,
                finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN clock_timestamp() END,
                run_at = clock_timestamp(), worker_id = NULL, progress = NULL, reason = {ReasonUnlessCancelled}
            WHERE {Held} RETURNING {NotifyQueued}
            """, job, cancellationToken, Reason(reason));

    /// <summary>running → queued after a failed attempt, with backoff; → failed when the attempts are used up.</summary>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> GiveBackAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        GiveBackAsync(job.Id, job.Attempt, reason, cancellationToken);

    private Task<bool> GiveBackAsync(Guid id, int attempt, string reason, CancellationToken cancellationToken) =>
        WriteAsync($"UPDATE jobs SET {AfterFailure} WHERE {Held} RETURNING {NotifyQueued}", id, attempt, cancellationToken, Reason(reason));
}
