using Npgsql;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>As SQL: what queues a job that is over once more, with all its attempts before it.</summary>
    internal const string Again =
        "state = 'queued', failures = 0, finished_at = NULL, reason = NULL, progress = NULL, run_at = clock_timestamp()";

    /// <summary>failed, cancelled → queued, with all its attempts before it again.</summary>
    /// <param name="fresh">Epochs and checkpoint are deleted, and it begins anew; otherwise it goes on from its checkpoint, if it
    /// has one.</param>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> RetryAsync(Guid id, bool fresh, CancellationToken cancellationToken) =>
        CommandAsync(
            $"""
            WITH again AS (
                UPDATE jobs SET {Again}, metrics_version = metrics_version + @fresh::int
                WHERE id = @id AND state IN ('failed', 'cancelled')
                RETURNING id, {NotifyQueued}),
            epochs_gone AS (DELETE FROM epochs WHERE @fresh AND job_id = (SELECT id FROM again)),
            checkpoint_gone AS (DELETE FROM checkpoints WHERE @fresh AND job_id = (SELECT id FROM again))
            SELECT FROM again
            """,
            id,
            cancellationToken,
            new NpgsqlParameter("fresh", fresh)
        );
}
