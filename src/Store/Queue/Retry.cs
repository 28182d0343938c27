using Npgsql;
using Temper.Store.Tenants;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>SQL assignments that queue a finished job again, with its full number of attempts.</summary>
    internal const string Again =
        "state = 'queued', failures = 0, finished_at = NULL, reason = NULL, progress = NULL, run_at = clock_timestamp()";

    /// <summary>Moves a failed or cancelled job to queued, with its full number of attempts.</summary>
    /// <param name="fresh">Deletes the epochs and the checkpoint, so that the job starts from the beginning. Otherwise the job
    /// resumes from its checkpoint if it has one.</param>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> RetryAsync(Guid id, bool fresh, CancellationToken cancellationToken) =>
        CommandAsync(
            $"""
            WITH again AS (
                UPDATE jobs SET {Again}, metrics_version = metrics_version + @fresh::int
                WHERE id = @id AND state IN ('failed', 'cancelled')
                RETURNING id, tenant, {NotifyQueued}),
            epochs_gone AS (DELETE FROM epochs WHERE @fresh AND job_id = (SELECT id FROM again)),
            checkpoint_gone AS (DELETE FROM checkpoints WHERE @fresh AND job_id = (SELECT id FROM again))
            SELECT {TenantStore.CheckQueued("tenant")} FROM again
            """,
            id,
            cancellationToken,
            new NpgsqlParameter("fresh", fresh)
        );
}
