using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Store.Studies;

public sealed partial class StudyQueue
{
    /// <summary>
    /// Adds the arms and jobs of a larger grid that the stored one lacks. Dropped arms get no new jobs. Jobs that were cancelled
    /// because the minutes were used up are queued again if the budget now has minutes left.
    /// </summary>
    /// <param name="widen">Maps the current spec, whose row is locked, to the wider one; null leaves the study unchanged.</param>
    /// <returns>The number of jobs added; null when there is no such study.</returns>
    /// <exception cref="NewerBuildException">A newer build stored the study; this one would drop fields of its spec.</exception>
    public async Task<int?> ExtendAsync(Guid id, Func<StudySpec, StudySpec?> widen, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await LockAsync(connection, id, cancellationToken) is not { } spec)
            return null;
        await CheckRevisionsAsync(connection, id, cancellationToken);
        if (widen(spec) is not { } wider)
            return 0;

        var known = await ArmsAsync(connection, id, cancellationToken);
        var there = known.Select(arm => arm.Arm).ToHashSet();
        StudyArm[] added =
        [
            .. wider.Arms().Where(arm => !there.Contains(arm)).Select((arm, i) => new StudyArm(known.Count + i, arm, null)),
        ];
        var running = known.Where(arm => arm.DroppedAtSeeds is null).Concat(added).ToDictionary(arm => arm.Arm, arm => arm.Number);
        // An existing arm does not get jobs for seeds of the old spec: if such a job is missing, the user has deleted it.
        var jobs = wider
            .Jobs()
            .Where(job => running.ContainsKey(job.Arm) && !(there.Contains(job.Arm) && spec.Seeds!.Contains(job.Spec.Seed)))
            .Select(job => (running[job.Arm], job.Spec))
            .ToList();

        await using var command = new NpgsqlCommand(
            $"""
            WITH study AS (UPDATE studies SET spec = @spec WHERE id = @id RETURNING id, tenant),
            {InsertArmsAndJobs}
            SELECT pg_notify('{JobQueue.Channel}', '{JobQueue.QueuedNotice}') FROM study
            """,
            connection,
            transaction
        )
        {
            CommandTimeout = CommandSeconds,
        };
        command.Parameters.AddWithValue("id", id);
        command.Parameters.Add(new("spec", NpgsqlDbType.Jsonb) { Value = Json.Write(wider) });
        command.Parameters.AddRange(Arrays(added, jobs));
        await command.ExecuteNonQueryAsync(cancellationToken);
        if (wider.Budget?.MaxMinutes is not { } minutes || await MinutesAsync(connection, id, cancellationToken) < minutes)
            await ExecuteAsync(connection, AgainWithinBudget, cancellationToken, new NpgsqlParameter("id", id));
        // Last, because it locks the tenant's row: the statements before it lock jobs.
        if (jobs.Count > 0)
            await ExecuteAsync(
                connection,
                $"SELECT {TenantStore.CheckQueued("tenant")} FROM studies WHERE id = @id",
                cancellationToken,
                new NpgsqlParameter("id", id)
            );
        await transaction.CommitAsync(cancellationToken);
        return jobs.Count;
    }

    /// <summary>
    /// Queues the jobs that the old budget cancelled, with their full number of attempts. Withdraws the budget's request to
    /// stop a running job.
    /// </summary>
    private static readonly string AgainWithinBudget = $"""
        WITH again AS (
            UPDATE jobs
            SET state = CASE state WHEN 'cancelled' THEN 'queued' ELSE state END,
                failures = CASE state WHEN 'cancelled' THEN 0 ELSE failures END,
                progress = CASE state WHEN 'cancelled' THEN NULL ELSE progress END,
                stop_requested = NULL, finished_at = NULL, reason = NULL, run_at = clock_timestamp()
            WHERE id = ANY (ARRAY(SELECT id FROM jobs JOIN arms USING (study_id, arm)
                                  WHERE study_id = @id AND state IN ('cancelled', 'running') AND reason = {OutOfMinutes} AND
                                      dropped_at_seeds IS NULL
                                  ORDER BY id FOR UPDATE OF jobs))
            RETURNING state, tenant, {JobQueue.NotifyQueued})
        {JobQueue.CheckQueuedAgain}
        """;

    private static async Task CheckRevisionsAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT max(spec_revision) FROM jobs WHERE study_id = $1", connection);
        command.Parameters.AddWithValue(id);
        if (await command.ExecuteScalarAsync(cancellationToken) is int revision && revision > SpecRevision.Known)
            throw new NewerBuildException($"This build does not know all of the spec of study {id}. Send the request to a newer build.");
    }

    private static async Task<List<StudyArm>> ArmsAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"SELECT {StudyReader.ArmColumns} FROM arms WHERE study_id = $1 ORDER BY arm",
            connection
        );
        command.Parameters.AddWithValue(id);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var arms = new List<StudyArm>();
        while (await row.ReadAsync(cancellationToken))
            arms.Add(StudyReader.ReadArm(row, 0));
        return arms;
    }
}
