using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Takes the first waiting job that this worker's device can run, under a new attempt. SKIP LOCKED lets claimers pass
    /// each other, so each job goes to one worker.
    /// </summary>
    /// <param name="worker">Must have sent a heartbeat: jobs refer to its row.</param>
    /// <param name="hasCuda">Whether jobs that ask for `cuda` can run here.</param>
    /// <returns>Null when nothing is waiting, or what was is not for this build: then it is given back, counted.</returns>
    public async Task<ClaimedJob?> ClaimAsync(Guid worker, bool hasCuda, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            UPDATE jobs
            SET state = 'running', attempt = attempt + 1, worker_id = @worker, claimed_at = clock_timestamp(),
                training_started_at = NULL, attempt_note = NULL, reason = NULL
            WHERE id = (SELECT id FROM jobs
                        WHERE state = 'queued' AND run_at <= clock_timestamp() AND (@has_cuda OR device <> 'cuda')
                        ORDER BY priority DESC, sequence LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id, attempt, spec::text, study_id
            """
        );
        command.Parameters.AddWithValue("worker", worker);
        command.Parameters.AddWithValue("has_cuda", hasCuda);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
            return null;
        var (id, attempt, spec) = (reader.GetGuid(0), reader.GetInt32(1), reader.GetString(2));
        Guid? study = await reader.IsDBNullAsync(3, cancellationToken) ? null : reader.GetGuid(3);
        try
        {
            return new(id, attempt, Json.Read<JobSpec>(spec), study);
        }
        catch (JsonException e)
        {
            // An API of a newer build may know a model or an optimizer that this worker does not.
            await EndAsync(GiveBack, id, attempt, $"a worker could not read its spec: {e.Message}", null, cancellationToken);
            return null;
        }
    }
}
