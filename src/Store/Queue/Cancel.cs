namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Moves a queued or paused job to cancelled at once. A running job is marked; the notice wakes its worker, which stops
    /// it. A request to cancel replaces a request to pause.
    /// </summary>
    /// <returns>False when the job's state does not allow this or the job does not exist; read the job to see which.</returns>
    public Task<bool> CancelAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(Cancel("id = @id"), id, cancellationToken);

    /// <inheritdoc cref="CancelAsync"/>
    /// <param name="which">SQL condition that selects the jobs.</param>
    /// <param name="because">The reason as an SQL expression; null when the user cancels. A running job keeps it until its
    /// attempt ends. With a reason, a job that was already asked to cancel is not changed.</param>
    internal static string Cancel(string which, string? because = null) =>
        $"""
            UPDATE jobs
            SET state = CASE state WHEN 'running' THEN state ELSE 'cancelled' END,
                stop_requested = CASE state WHEN 'running' THEN 'cancel' END,
                finished_at = CASE state WHEN 'running' THEN NULL ELSE clock_timestamp() END,
                reason = CASE state WHEN 'running' THEN {because ?? "NULL"} ELSE {because ?? "'cancelled while ' || state"} END
            WHERE {which} AND state IN ('queued', 'running', 'paused'){(
                because is null ? "" : " AND stop_requested IS DISTINCT FROM 'cancel'"
            )}
            RETURNING {NotifyStop}
            """;
}
