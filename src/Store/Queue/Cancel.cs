namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// queued, paused → cancelled at once; a running job is marked, and its worker, woken by the notice, stops it. It
    /// replaces a request to pause.
    /// </summary>
    /// <returns>False: it is in no state that allows this, or does not exist. Read it to see which.</returns>
    public Task<bool> CancelAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(Cancel("id = @id"), id, cancellationToken);

    /// <inheritdoc cref="CancelAsync"/>
    /// <param name="which">Condition for the jobs.</param>
    /// <param name="because">Why, where it is not its user, as SQL; a running job carries it to its end. A stop asked for before
    /// keeps its own.</param>
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
