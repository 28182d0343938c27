using Npgsql;
using Temper.Store.Studies;

namespace Temper.Store.Retention;

/// <summary>Removes what finished jobs have kept for as long as the settings say, a few rows at a time, so that nobody waits for
/// a lock for long.</summary>
public sealed class Removal(NpgsqlDataSource database, RetentionOptions options)
{
    /// <summary>Of rows that are megabytes large, and of others.</summary>
    private const int FewLarge = 20,
        FewSmall = 1000;

    /// <summary>
    /// Condition on a row of jobs: it ended longer ago than @age, and so did every job of its study; neither is pinned.
    /// </summary>
    private const string Expired = """
        finished_at < clock_timestamp() - @age AND NOT jobs.pinned
        AND (study_id IS NULL OR EXISTS (SELECT FROM studies WHERE studies.id = study_id AND NOT pinned AND NOT EXISTS (
            SELECT FROM jobs other WHERE other.study_id = studies.id AND (other.finished_at IS NULL OR other.finished_at >=
                clock_timestamp() - @age))))
        """;

    /// <returns>How many rows of each kind were removed, or emptied.</returns>
    public async Task<IReadOnlyDictionary<string, int>> RunAsync(CancellationToken cancellationToken)
    {
        var removed = new Dictionary<string, int>();
        await EachAsync(
            "checkpoints",
            options.CheckpointDays,
            FewLarge,
            "DELETE FROM checkpoints USING due WHERE job_id = due.id",
            "EXISTS (SELECT FROM checkpoints WHERE job_id = jobs.id)"
        );
        await EachAsync(
            "logits",
            options.LogitsDays,
            FewLarge,
            "UPDATE models SET classes = NULL, validation_logits = NULL, validation_labels = NULL, test_logits = NULL, test_labels = "
                + "NULL, true_probabilities = NULL FROM due WHERE job_id = due.id",
            "EXISTS (SELECT FROM models WHERE job_id = jobs.id AND classes IS NOT NULL)"
        );
        await EachAsync(
            "weights",
            options.WeightsDays,
            FewLarge,
            "UPDATE models SET weights = NULL FROM due WHERE job_id = due.id",
            "EXISTS (SELECT FROM models WHERE job_id = jobs.id AND weights IS NOT NULL)"
        );
        await EachAsync(
            "epochs",
            options.EpochDays,
            FewSmall,
            "gone AS (DELETE FROM epochs USING due WHERE job_id = due.id) UPDATE jobs SET metrics_version = metrics_version + 1 FROM "
                + "due WHERE jobs.id = due.id",
            "EXISTS (SELECT FROM epochs WHERE job_id = jobs.id)"
        );
        await EachAsync(
            "attempts",
            options.AttemptDays,
            FewSmall,
            "DELETE FROM attempts USING due WHERE job_id = due.id",
            "EXISTS (SELECT FROM attempts WHERE job_id = jobs.id)"
        );
        await EachAsync("jobs", options.JobDays, FewLarge, "DELETE FROM jobs USING due WHERE jobs.id = due.id", "study_id IS NULL");
        if (options.JobDays is { } days)
            removed["studies"] = await StudiesAsync(TimeSpan.FromDays(days), cancellationToken);
        return removed;

        async Task EachAsync(string kind, double? kept, int batch, string remove, string has)
        {
            if (kept is not { } days)
                return;
            removed[kind] = 0;
            for (var last = batch; last >= batch; removed[kind] += last)
                last = await BatchAsync(remove, has, TimeSpan.FromDays(days), batch, cancellationToken);
        }
    }

    /// <summary>A job that its user retries at this moment is locked, and left alone.</summary>
    private async Task<int> BatchAsync(string remove, string has, TimeSpan age, int batch, CancellationToken cancellationToken)
    {
        var separator = remove.StartsWith("gone AS", StringComparison.Ordinal) ? "," : "";
        await using var command = database.CreateCommand(
            $"""
            WITH due AS (SELECT id FROM jobs WHERE {Expired} AND {has} LIMIT @batch FOR UPDATE OF jobs SKIP LOCKED){separator}
            {remove}
            """
        );
        command.Parameters.AddWithValue("age", age);
        command.Parameters.AddWithValue("batch", batch);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task<int> StudiesAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        var studies = new StudyQueue(database);
        var removed = 0;
        foreach (var id in await ExpiredStudiesAsync(age, cancellationToken))
            if (await studies.DeleteExpiredAsync(id, age, cancellationToken) == true)
                removed++;
        return removed;
    }

    private async Task<IReadOnlyList<Guid>> ExpiredStudiesAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"SELECT id FROM studies WHERE NOT EXISTS (SELECT FROM jobs WHERE study_id = studies.id AND ({Expired}) IS NOT TRUE)"
        );
        command.Parameters.AddWithValue("age", age);
        var ids = new List<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            ids.Add(row.GetGuid(0));
        return ids;
    }
}
