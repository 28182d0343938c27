using Npgsql;
using Temper.Domain.Studies;
using Temper.Store.Queue;

namespace Temper.Store.Studies;

public sealed partial class StudyQueue
{
    private const string OutOfMinutes = "'the minutes of its study''s budget are used up'";

    private const string DroppedArm = "'its study dropped this arm as clearly worse'";

    /// <summary>
    /// Call it when a job of the study has ended. It drops the arms that successive halving finds clearly worse, and cancels the
    /// remaining jobs when the budget is used up. It does nothing while another transaction holds the study's row.
    /// </summary>
    public async Task SettleAsync(Guid id, CancellationToken cancellationToken)
    {
        if (await SpecAsync(id, cancellationToken) is not { } spec || (!spec.SuccessiveHalving && spec.Budget?.MaxMinutes is null))
            return;
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // Another transaction is changing the study. The next end of a job and the minutely job settle it again.
        if (await LockAsync(connection, id, cancellationToken, "SKIP LOCKED") is not { } current)
            return;
        if (current.SuccessiveHalving)
            await DropLosersAsync(connection, id, current, cancellationToken);
        if (current.Budget?.MaxMinutes is { } minutes && await MinutesAsync(connection, id, cancellationToken) >= minutes)
            await ExecuteAsync(connection, JobQueue.Cancel(OfStudy, OutOfMinutes), cancellationToken, new NpgsqlParameter("id", id));
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>It finds each study with open jobs by one look into their index, however many jobs and other studies there are.</summary>
    /// <returns>The studies that <see cref="SettleAsync"/> may change.</returns>
    public async Task<IReadOnlyList<Guid>> ToSettleAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            WITH RECURSIVE open (study) AS (
                (SELECT study_id FROM jobs WHERE study_id IS NOT NULL AND state IN ('queued', 'running', 'paused')
                 ORDER BY study_id LIMIT 1)
                UNION ALL
                SELECT (SELECT study_id FROM jobs WHERE study_id > study AND state IN ('queued', 'running', 'paused')
                        ORDER BY study_id LIMIT 1)
                FROM open WHERE study IS NOT NULL)
            SELECT id FROM studies JOIN open ON id = study
            WHERE (spec->>'successiveHalving')::boolean OR spec->'budget'->>'maxMinutes' IS NOT NULL
            """
        );
        var studies = new List<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            studies.Add(row.GetGuid(0));
        return studies;
    }

    private async Task<StudySpec?> SpecAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT spec::text FROM studies WHERE id = $1");
        command.Parameters.AddWithValue(id);
        return await command.ExecuteScalarAsync(cancellationToken) is string spec ? TemperDb.Read<StudySpec>(spec) : null;
    }

    private static async Task DropLosersAsync(NpgsqlConnection connection, Guid id, StudySpec spec, CancellationToken cancellationToken)
    {
        var arms = await ArmsAsync(connection, id, cancellationToken);
        var jobs = await StudyReader.JobsAsync(connection, id, cancellationToken);
        var diverged = DivergedArms.Of(spec, arms, jobs, await StudyReader.FailedAsync(connection, id, cancellationToken));
        var (byArm, resolution) = (jobs.CountedBy(spec.Criterion).ToLookup(job => job.Arm), spec.Criterion.Resolution(spec, jobs));
        var open = await OpenArmsAsync(connection, id, cancellationToken);
        foreach (var condition in arms.GroupBy(arm => arm.Arm.LabelNoise))
        {
            // Two kinds of arms are left out. An arm that lacks seeds and has no open jobs would block the comparison of all
            // others. An arm that diverged must not win by the seeds that did not diverge.
            ArmLosses[] left =
            [
                .. condition
                    .Where(arm => arm.DroppedAtSeeds is null && !diverged.ContainsKey(arm.Number))
                    .Select(arm => byArm[arm.Number].LossesBy(arm.Number, spec.Criterion))
                    .Where(arm => open.Contains(arm.Arm) || arm.BySeed.Count == spec.Seeds!.Count),
            ];
            if (
                Race.SeedsInCommon(left).Count is var seeds
                && (seeds < 2 || !await IsFirstLookAsync(connection, id, condition.Key, seeds, cancellationToken))
            )
                continue;
            foreach (var loser in Race.Losers(left, condition.Count(), resolution))
            {
                await ExecuteAsync(
                    connection,
                    "UPDATE arms SET dropped_at_seeds = @seeds WHERE study_id = @id AND arm = @arm",
                    cancellationToken,
                    new("id", id),
                    new("arm", loser),
                    new("seeds", byArm[loser].Count())
                );
                await ExecuteAsync(
                    connection,
                    JobQueue.Cancel($"arm = @arm AND {OfStudy}", DroppedArm),
                    cancellationToken,
                    new("id", id),
                    new("arm", loser)
                );
            }
        }
    }

    /// <summary>Records that the arms with this share of label noise are compared at this number of seeds.</summary>
    /// <returns>False when they were compared at this number or a larger one before.</returns>
    private static async Task<bool> IsFirstLookAsync(
        NpgsqlConnection connection,
        Guid id,
        double labelNoise,
        int seeds,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(
            """
            UPDATE arms SET compared_at_seeds = $3
            WHERE study_id = $1 AND label_noise = $2 AND $3 > ALL (SELECT compared_at_seeds FROM arms WHERE study_id = $1 AND
                label_noise = $2)
            """,
            connection
        )
        {
            Parameters =
            {
                new() { Value = id },
                new() { Value = labelNoise },
                new() { Value = seeds },
            },
        };
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>The arms that have queued, running or paused jobs.</summary>
    private static async Task<HashSet<int>> OpenArmsAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT DISTINCT arm FROM jobs WHERE study_id = $1 AND state IN ('queued', 'running', 'paused')",
            connection
        );
        command.Parameters.AddWithValue(id);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var open = new HashSet<int>();
        while (await row.ReadAsync(cancellationToken))
            open.Add(row.GetInt32(0));
        return open;
    }

    /// <summary>Minutes of all ended attempts, including failed ones and those of deleted jobs.</summary>
    private static async Task<double> MinutesAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"SELECT (deleted_seconds + (SELECT coalesce(sum({JobQueue.SecondsOf("jobs")}), 0) FROM jobs WHERE study_id = "
                + "studies.id)) / 60 FROM studies WHERE id = $1",
            connection
        );
        command.Parameters.AddWithValue(id);
        return (double)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
