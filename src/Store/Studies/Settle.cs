using Npgsql;
using Temper.Domain.Studies;
using Temper.Store.Queue;

namespace Temper.Store.Studies;

public sealed partial class StudyQueue
{
    private const string OutOfMinutes = "'the minutes of its study''s budget are used up'";

    private const string DroppedArm = "'its study dropped this arm as clearly worse'";

    /// <summary>
    /// To be called when a job of the study has ended: drops the arms that halving finds clearly worse, and cancels what is left when
    /// the budget is used up. It does nothing while another call settles the same study.
    /// </summary>
    public async Task SettleAsync(Guid id, CancellationToken cancellationToken)
    {
        if (await SpecAsync(id, cancellationToken) is not { } spec || (!spec.SuccessiveHalving && spec.Budget?.MaxMinutes is null)) return;
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // Who holds the study changes it. A later end looks again, and so does the minutely job.
        if (await LockAsync(connection, id, cancellationToken, "SKIP LOCKED") is not { } current) return;
        if (current.SuccessiveHalving) await DropLosersAsync(connection, id, current, cancellationToken);
        if (current.Budget?.MaxMinutes is { } minutes && await MinutesAsync(connection, id, cancellationToken) >= minutes)
            await ExecuteAsync(connection, JobQueue.Cancel(OfStudy, OutOfMinutes), cancellationToken, new NpgsqlParameter("id", id));
        await transaction.CommitAsync(cancellationToken);
    }

    /// <returns>The studies that <see cref="SettleAsync"/> may have something to do for.</returns>
    public async Task<IReadOnlyList<Guid>> ToSettleAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            SELECT id FROM studies
            WHERE ((spec->>'successiveHalving')::boolean OR spec->'budget'->>'maxMinutes' IS NOT NULL)
              AND EXISTS (SELECT FROM jobs WHERE study_id = studies.id AND state IN ('queued', 'running', 'paused'))
            """);
        var studies = new List<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken)) studies.Add(row.GetGuid(0));
        return studies;
    }

    private async Task<StudySpec?> SpecAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT spec::text FROM studies WHERE id = $1");
        command.Parameters.AddWithValue(id);
        return await command.ExecuteScalarAsync(cancellationToken) is string spec ? Json.Read<StudySpec>(spec) : null;
    }

    private static async Task DropLosersAsync(NpgsqlConnection connection, Guid id, StudySpec spec, CancellationToken cancellationToken)
    {
        var arms = await ArmsAsync(connection, id, cancellationToken);
        var losses = await LossesAsync(connection, id, spec.Criterion, cancellationToken);
        var open = await OpenArmsAsync(connection, id, cancellationToken);
        foreach (var condition in arms.GroupBy(arm => arm.Arm.LabelNoise))
        {
            // An arm that has lost seeds for good, to failures or its user, would hold all others up.
            ArmLosses[] left = [.. condition.Where(arm => arm.DroppedAtSeeds is null).Select(arm => new ArmLosses(arm.Number, losses.GetValueOrDefault(arm.Number, []))).Where(arm => open.Contains(arm.Arm) || arm.BySeed.Count == spec.Seeds!.Count)];
            foreach (var loser in Race.Losers(left, condition.Count()))
            {
                await ExecuteAsync(connection, "UPDATE arms SET dropped_at_seeds = @seeds WHERE study_id = @id AND arm = @arm", cancellationToken,
                    new("id", id), new("arm", loser), new("seeds", losses[loser].Count));
                await ExecuteAsync(connection, JobQueue.Cancel($"arm = @arm AND {OfStudy}", DroppedArm), cancellationToken, new("id", id), new("arm", loser));
            }
        }
    }

    private static async Task<Dictionary<int, Dictionary<long, double>>> LossesAsync(NpgsqlConnection connection, Guid id, Criterion criterion, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT arm, seed, {StudyReader.ScoresSql} FROM jobs JOIN scores ON job_id = id WHERE study_id = $1", connection);
        command.Parameters.AddWithValue(id);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var losses = new Dictionary<int, Dictionary<long, double>>();
        while (await row.ReadAsync(cancellationToken))
        {
            if (!losses.TryGetValue(row.GetInt32(0), out var bySeed)) losses[row.GetInt32(0)] = bySeed = [];
            bySeed[row.GetInt64(1)] = ScoreColumns.Read(column => row.GetDouble(2 + column)).Validation.LossBy(criterion);
        }
        return losses;
    }

    /// <summary>Arms with jobs that are not over.</summary>
    private static async Task<HashSet<int>> OpenArmsAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT DISTINCT arm FROM jobs WHERE study_id = $1 AND state IN ('queued', 'running', 'paused')", connection);
        command.Parameters.AddWithValue(id);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var open = new HashSet<int>();
        while (await row.ReadAsync(cancellationToken)) open.Add(row.GetInt32(0));
        return open;
    }

    /// <summary>Of every attempt that has ended, failed ones included.</summary>
    private static async Task<double> MinutesAsync(NpgsqlConnection connection, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT coalesce(sum(extract(epoch FROM ended_at - attempts.claimed_at)) / 60, 0)::float8 FROM jobs JOIN attempts ON job_id = id WHERE study_id = $1", connection);
        command.Parameters.AddWithValue(id);
        return (double)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
