using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Claims the first queued job that this worker's device can run, under a new attempt. With SKIP LOCKED, concurrent claims
    /// do not wait for each other, and each job goes to one worker. The lock on the worker's row makes a drain wait for the claim,
    /// or makes the claim see the drain. It comes first, so that a claim never waits while it holds a job. A claim that finds no
    /// job takes no lock.
    /// </summary>
    /// <param name="worker">Must have sent a heartbeat; a worker without a row claims nothing.</param>
    /// <param name="hasCuda">Whether the worker can run jobs that ask for `cuda`.</param>
    /// <returns>Null when no such job is queued, when the worker drains, or when this build cannot read the job's spec. In the last
    /// case the job is given back and a failure is counted.</returns>
    public async Task<ClaimedJob?> ClaimAsync(Guid worker, bool hasCuda, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            WITH claimer AS (
                SELECT FROM workers
                WHERE id = @worker AND NOT draining
                      AND (SELECT true FROM jobs -- with EXISTS the planner would ignore the order, and may then read the whole table
                           WHERE state = 'queued' AND run_at <= clock_timestamp() AND (@has_cuda OR device <> 'cuda')
                           ORDER BY priority DESC, sequence LIMIT 1)
                FOR SHARE)
            UPDATE jobs
            SET state = 'running', attempt = attempt + 1, worker_id = @worker, claimed_at = clock_timestamp(),
                training_started_at = NULL, attempt_note = NULL, reason = NULL
            WHERE id = (SELECT id FROM jobs
                        WHERE state = 'queued' AND run_at <= clock_timestamp() AND (@has_cuda OR device <> 'cuda')
                              AND EXISTS (SELECT FROM claimer)
                        ORDER BY priority DESC, sequence LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, attempt, spec::text, study_id,
                      EXISTS (SELECT FROM studies WHERE studies.id = jobs.study_id AND studies.spec->>'notify' IS NOT NULL)
            """
        );
        command.Parameters.AddWithValue("worker", worker);
        command.Parameters.AddWithValue("has_cuda", hasCuda);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
            return null;
        var (id, attempt, spec) = (reader.GetGuid(0), reader.GetInt32(1), reader.GetString(2));
        Guid? study = await reader.IsDBNullAsync(3, cancellationToken) ? null : reader.GetGuid(3);
        var studyNotifies = reader.GetBoolean(4);
        try
        {
            return new(id, attempt, Json.Read<JobSpec>(spec), study, studyNotifies);
        }
        catch (JsonException e)
        {
            // The API may be a newer build that knows a model or an optimizer that this worker does not know.
            await EndAsync(GiveBack, id, attempt, $"a worker could not read its spec: {e.Message}", null, cancellationToken);
            return null;
        }
    }
}
