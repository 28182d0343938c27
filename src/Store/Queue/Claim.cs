using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Tenants;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>With the condition on the device as the index of the jobs for every device has it.</summary>
    private static string Claimable(bool hasCuda) =>
        $"state = 'queued' AND run_at <= clock_timestamp(){(hasCuda ? "" : " AND device <> 'cuda'")} AND spec_revision <= @known_revision";

    /// <summary>
    /// Claims a queued job that this worker's device can run and its build knows, under a new attempt: the first by priority and age of
    /// the tenant whose turn it is. It is the turn of the tenant with the fewest running jobs, among those the one whose last claim is
    /// longest ago. With SKIP LOCKED, concurrent claims do not wait for each other, and each job goes to one worker. Claims for tenants
    /// that may run only so many jobs wait for each other, so that no tenant exceeds that number; a tenant without a job for this worker
    /// is passed over before that. The lock on the worker's row makes a drain wait for the claim, or makes the claim see the drain; a
    /// heartbeat passes it. It comes first, so that a claim never waits for it while it holds a job. Where no queued job is for this
    /// worker, whatever the quotas, a claim takes no lock. A worker without CUDA does not read the jobs that ask for it.
    /// </summary>
    /// <param name="worker">Must have sent a heartbeat; a worker without a row claims nothing.</param>
    /// <param name="hasCuda">Whether the worker can run jobs that ask for `cuda`.</param>
    /// <returns>Null when no such job is queued, when the worker drains, or when this build cannot read the job's spec. In the last
    /// case the job is given back and a failure is counted.</returns>
    public async Task<ClaimedJob?> ClaimAsync(Guid worker, bool hasCuda, CancellationToken cancellationToken)
    {
        var claimable = Claimable(hasCuda);
        await using var command = database.CreateCommand(
            $"""
            WITH RECURSIVE claimer AS (
                SELECT FROM workers
                WHERE id = @worker AND NOT draining
                      AND (SELECT true FROM jobs -- with EXISTS the planner would ignore the order, and may then read the whole table
                           WHERE {claimable} ORDER BY tenant, priority DESC, sequence LIMIT 1)
                FOR KEY SHARE),
            {TenantStore.Turns}
            UPDATE jobs
            SET state = 'running', attempt = attempt + 1, worker_id = @worker, claimed_at = clock_timestamp(),
                training_started_at = NULL, attempt_note = NULL, reason = NULL
            WHERE id = (SELECT next.id
                        FROM turns, LATERAL (
                            SELECT id FROM jobs
                            WHERE EXISTS (SELECT FROM claimer)
                              AND tenant = (SELECT CASE WHEN NOT limited THEN turns.tenant
                                                        WHEN (SELECT true FROM jobs WHERE tenant = turns.tenant AND {claimable}
                                                              ORDER BY priority DESC, sequence LIMIT 1) THEN take_turn(turns.tenant) END)
                              AND {claimable}
                            ORDER BY priority DESC, sequence LIMIT 1 FOR UPDATE SKIP LOCKED) next
                        LIMIT 1)
            RETURNING id, attempt, spec::text, tenant, study_id,
                      EXISTS (SELECT FROM studies WHERE studies.id = jobs.study_id AND studies.spec->>'notify' IS NOT NULL),
                      claimed_at - run_at, traceparent, attempt_traceparent
            """
        );
        command.Parameters.AddWithValue("worker", worker);
        command.Parameters.AddWithValue("known_revision", KnownRevision);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        if (!await reader.ReadAsync(cancellationToken))
            return null;
        var (id, attempt, spec, tenant) = (reader.GetGuid(0), reader.GetInt32(1), reader.GetString(2), reader.GetString(3));
        Guid? study = await reader.IsDBNullAsync(4, cancellationToken) ? null : reader.GetGuid(4);
        var studyNotifies = reader.GetBoolean(5);
        var trace = new ClaimTrace(reader.GetTimeSpan(6), reader.GetValue(7) as string, reader.GetValue(8) as string);
        try
        {
            return new(id, attempt, Json.Read<JobSpec>(spec), tenant, study, studyNotifies, trace);
        }
        catch (JsonException e)
        {
            // Its revision says that this build reads it, so the row is damaged.
            await EndAsync(GiveBack, id, attempt, $"a worker could not read its spec: {e.Message}", null, cancellationToken);
            return null;
        }
    }
}
