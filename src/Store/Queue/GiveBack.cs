namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>running → queued, for a healthy job whose worker shuts down: no failure counted, no wait.</summary>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> HandBackAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        WriteAndNotifyAsync(
            $"""
            UPDATE jobs
            SET state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'queued' END,
                finished_at = CASE WHEN cancel_requested_at IS NOT NULL THEN clock_timestamp() END,
                run_at = clock_timestamp(), worker_id = NULL, progress = NULL, reason = @reason
            WHERE {Held}
            """, job, reason, cancellationToken);

    /// <summary>running → queued after a failed attempt, with backoff; → failed when the attempts are used up.</summary>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> GiveBackAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        WriteAndNotifyAsync($"UPDATE jobs SET {AfterFailure} WHERE {Held}", job, reason, cancellationToken);

    private async Task<bool> WriteAndNotifyAsync(string sql, ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        await WriteAsync(sql, job, cancellationToken, new Npgsql.NpgsqlParameter("reason", reason)) && await NotifyQueuedAsync(cancellationToken);

    private async Task<bool> NotifyQueuedAsync(CancellationToken cancellationToken)
    {
        await using var notify = database.CreateCommand($"NOTIFY {Channel}, '{QueuedNotice}'");
        await notify.ExecuteNonQueryAsync(cancellationToken);
        return true;
    }
}
