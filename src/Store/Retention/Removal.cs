using Npgsql;
using Temper.Store.Notifications;
using Temper.Store.Studies;

namespace Temper.Store.Retention;

/// <summary>
/// Removes the data of finished jobs, and the audit, that is past its retention. It handles 20 jobs at a time, so that other
/// transactions do not wait long for a lock.
/// </summary>
public sealed class Removal(NpgsqlDataSource database, RetentionOptions options)
{
    /// <summary>Jobs per statement. It is small, because a job may have megabytes of data or thousands of epochs.</summary>
    private const int BatchSize = 20;

    private const int AuditBatchSize = 10_000;

    /// <summary>Studies that are not pinned and older than @age, and whose jobs all ended longer ago than @age.</summary>
    private const string ExpiredStudies = """
        SELECT id FROM studies
        WHERE NOT pinned AND created_at < now() - @age
          AND id NOT IN (SELECT study_id FROM jobs
                         WHERE study_id IS NOT NULL AND (finished_at IS NULL OR finished_at >= now() - @age OR pinned))
        """;

    /// <summary>Condition on a row of jobs: it ended longer ago than @age and is not pinned, and its study has expired.</summary>
    private const string Expired = $"""
        finished_at < now() - @age AND NOT jobs.pinned AND (study_id IS NULL OR study_id IN ({ExpiredStudies}))
        """;

    /// <returns>Number of rows that were deleted or emptied, by kind of data.</returns>
    public async Task<IReadOnlyDictionary<string, int>> RunAsync(CancellationToken cancellationToken)
    {
        var removed = new Dictionary<string, int>();
        await EachAsync(
            "checkpoints",
            options.CheckpointDays,
            "DELETE FROM checkpoints USING due WHERE job_id = due.id",
            "EXISTS (SELECT FROM checkpoints WHERE job_id = jobs.id)"
        );
        await EachAsync(
            "logits",
            options.LogitsDays,
            "UPDATE models SET classes = NULL, validation_logits = NULL, validation_labels = NULL, test_logits = NULL, "
                + "test_labels = NULL, true_probabilities = NULL FROM due WHERE job_id = due.id",
            "EXISTS (SELECT FROM models WHERE job_id = jobs.id AND classes IS NOT NULL)"
        );
        await EachAsync(
            "weights",
            options.WeightsDays,
            "UPDATE models SET weights = NULL FROM due WHERE job_id = due.id",
            "EXISTS (SELECT FROM models WHERE job_id = jobs.id AND weights IS NOT NULL)"
        );
        await EachAsync(
            "epochs",
            options.EpochDays,
            ", gone AS (DELETE FROM epochs USING due WHERE job_id = due.id) "
                + "UPDATE jobs SET metrics_version = metrics_version + 1 FROM due WHERE jobs.id = due.id",
            // A job that may still be retried from its checkpoint needs the epochs before it.
            "EXISTS (SELECT FROM epochs WHERE job_id = jobs.id) AND NOT EXISTS (SELECT FROM checkpoints WHERE job_id = jobs.id)"
        );
        await EachAsync(
            "attempts",
            options.AttemptDays,
            "DELETE FROM attempts USING due WHERE job_id = due.id",
            // The budget of a study counts the time of all its attempts.
            "study_id IS NULL AND EXISTS (SELECT FROM attempts WHERE job_id = jobs.id)"
        );
        await EachAsync(
            "jobs",
            options.JobDays,
            "DELETE FROM jobs USING due WHERE jobs.id = due.id",
            $"study_id IS NULL AND NOT {NotificationQueue.IsOpenJob}"
        );
        if (options.JobDays is { } days)
            removed["studies"] = await StudiesAsync(TimeSpan.FromDays(days), cancellationToken);
        if (options.AuditDays is { } auditDays)
            removed["audit"] = await AuditAsync(TimeSpan.FromDays(auditDays), cancellationToken);
        return removed;

        async Task EachAsync(string kind, double? kept, string remove, string has)
        {
            if (kept is not { } days)
                return;
            removed[kind] = 0;
            for (var last = BatchSize; last >= BatchSize; removed[kind] += last)
                last = await BatchAsync(remove, has, TimeSpan.FromDays(days), cancellationToken);
        }
    }

    /// <summary>Removes the data of one batch of jobs. It skips locked jobs, such as a job that its user is retrying.</summary>
    private async Task<int> BatchAsync(string remove, string has, TimeSpan age, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            WITH due AS (SELECT id FROM jobs WHERE {Expired} AND {has} LIMIT @batch FOR UPDATE OF jobs SKIP LOCKED)
            {remove}
            """
        );
        command.Parameters.AddWithValue("age", age);
        command.Parameters.AddWithValue("batch", BatchSize);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task<int> AuditAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        var removed = 0;
        for (var last = AuditBatchSize; last >= AuditBatchSize; removed += last)
        {
            await using var command = database.CreateCommand(
                "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < now() - @age ORDER BY at LIMIT @batch)"
            );
            command.Parameters.AddWithValue("age", age);
            command.Parameters.AddWithValue("batch", AuditBatchSize);
            last = await command.ExecuteNonQueryAsync(cancellationToken);
        }
        return removed;
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
        await using var command = database.CreateCommand(ExpiredStudies);
        command.Parameters.AddWithValue("age", age);
        var ids = new List<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            ids.Add(row.GetGuid(0));
        return ids;
    }
}
