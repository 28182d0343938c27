using Temper.Store.Tenants;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Moves a queued job to paused at once. A running job is marked; its worker makes a checkpoint and stops the job.
    /// </summary>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> PauseAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(Pause("id = @id"), id, cancellationToken);

    /// <summary>
    /// Moves a paused job to queued, in its order by priority and age. Withdraws the request to pause a running job.
    /// </summary>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> ResumeAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(Resume("id = @id"), id, cancellationToken);

    /// <inheritdoc cref="PauseAsync"/>
    internal static string Pause(string which) =>
        $"""
            UPDATE jobs
            SET state = CASE state WHEN 'queued' THEN 'paused' ELSE state END,
                stop_requested = CASE state WHEN 'running' THEN 'pause' END,
                reason = CASE state WHEN 'queued' THEN 'paused while queued' ELSE reason END
            WHERE {which} AND (state = 'queued' OR (state = 'running' AND stop_requested IS NULL))
            RETURNING {NotifyStop}
            """;

    /// <inheritdoc cref="ResumeAsync"/>
    internal static string Resume(string which) =>
        $"""
            WITH again AS (
                UPDATE jobs
                SET state = CASE state WHEN 'paused' THEN 'queued' ELSE state END,
                    stop_requested = NULL, run_at = clock_timestamp(),
                    progress = CASE state WHEN 'paused' THEN NULL ELSE progress END,
                    reason = CASE state WHEN 'paused' THEN NULL ELSE reason END
                WHERE {which} AND (state = 'paused' OR (state = 'running' AND stop_requested = 'pause'))
                RETURNING state, tenant, {NotifyQueued})
            {CheckQueuedAgain}
            """;

    /// <summary>
    /// The end of a statement that queues jobs of one tenant again: `again (state, tenant)` has the changed rows. It fails when the
    /// tenant may not queue that many jobs, and returns a row when one changed.
    /// </summary>
    internal static readonly string CheckQueuedAgain =
        $"SELECT {TenantStore.CheckQueued("max(tenant) FILTER (WHERE state = 'queued')")} FROM again HAVING count(*) > 0";
}
