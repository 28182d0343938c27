using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Tenants;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Claims a queued job that this worker's device can run, under a new attempt: the first by priority and age of the tenant whose
    /// turn it is. It is the turn of the tenant with the fewest running jobs, among those the one whose last claim is longest ago. With
    /// SKIP LOCKED, concurrent claims do not wait for each other, and each job goes to one worker. Claims for tenants that may run only
    /// so many jobs wait for each other, so that no tenant exceeds that number.
    /// </summary>
    /// <param name="worker">Must have sent a heartbeat, because jobs refer to its row.</param>
    /// <param name="hasCuda">Whether the worker can run jobs that ask for `cuda`.</param>
    /// <returns>Null when no such job is queued, or when this build cannot read the job's spec. In the second case the job is
    /// given back and a failure is counted.</returns>
    public async Task<ClaimedJob?> ClaimAsync(Guid worker, bool hasCuda, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            WITH RECURSIVE {TenantStore.Turns}
            UPDATE jobs
            SET state = 'running', attempt = attempt + 1, worker_id = @worker, claimed_at = clock_timestamp(),
                training_started_at = NULL, attempt_note = NULL, reason = NULL
            WHERE id = (SELECT next.id
                        FROM turns, LATERAL (
                            SELECT id FROM jobs
                            WHERE tenant = (SELECT CASE WHEN limited THEN take_turn(turns.tenant) ELSE turns.tenant END)
                              AND state = 'queued' AND run_at <= clock_timestamp() AND (@has_cuda OR device <> 'cuda')
                            ORDER BY priority DESC, sequence LIMIT 1 FOR UPDATE SKIP LOCKED) next
                        LIMIT 1)
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
