namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// queued → cancelled at once; a running job is marked, and its worker, woken by the notice, stops it. Asking again,
    /// asking too late and asking for a job that does not exist change nothing: read the job to see what became of it.
    /// </summary>
    public async Task CancelAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            UPDATE jobs
            SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
                state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,
                finished_at = CASE state WHEN 'queued' THEN clock_timestamp() END,
                reason = CASE state WHEN 'queued' THEN 'cancelled while queued' ELSE reason END
            WHERE id = @id AND state IN ('queued', 'running')
            RETURNING CASE state WHEN 'running' THEN pg_notify(@channel, @notice) END
            """);
        command.Parameters.AddWithValue("id", id);
        command.Parameters.AddWithValue("channel", Channel);
        command.Parameters.AddWithValue("notice", CancelNotice + id);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
