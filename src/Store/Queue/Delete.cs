namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Deletes a job that is not running, with its epochs, attempts, checkpoint and model. Its study keeps the time of its
    /// attempts, which counts towards the budget.
    /// </summary>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> DeleteAsync(Guid id, CancellationToken cancellationToken) =>
        // The statement locks the study before the job, as settling does. The opposite order could deadlock with settling.
        CommandAsync(
            $"""
            WITH study AS MATERIALIZED (SELECT id FROM studies WHERE id = (SELECT study_id FROM jobs WHERE id = @id) FOR UPDATE),
            gone AS (
                DELETE FROM jobs
                WHERE id = @id AND state <> 'running' AND (study_id IS NULL OR study_id = (SELECT id FROM study))
                RETURNING id, study_id, state, claimed_at, finished_at),
            kept AS (
                UPDATE studies SET deleted_seconds = deleted_seconds + {SecondsOf("gone")}, changed = pg_current_xact_id()
                FROM gone WHERE studies.id = gone.study_id)
            SELECT FROM gone
            """,
            id,
            cancellationToken
        );

    /// <summary>
    /// SQL expression for the total seconds of a job's ended attempts, 0 without any. If retention has removed the attempts of a
    /// succeeded or failed job, it gives the seconds of the last attempt.
    /// </summary>
    /// <param name="job">Name or alias of the jobs table in the query.</param>
    internal static string SecondsOf(string job) =>
        $"""
            coalesce((SELECT sum(extract(epoch FROM past.ended_at - past.claimed_at)) FROM attempts past WHERE past.job_id = {job}.id),
                     CASE WHEN {job}.state IN ('succeeded', 'failed')
                      THEN extract(epoch FROM {job}.finished_at - {job}.claimed_at) END, 0)::float8
            """;
}
