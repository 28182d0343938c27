using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Npgsql;
using Temper.Store.Notifications;
using Temper.Store.Studies;

namespace Temper.Store.Retention;

/// <summary>
/// Removes the data of finished jobs, and the audit, that is past its retention. It handles 20 jobs at a time, so that other
/// transactions do not wait long for a lock.
/// </summary>
/// <remarks>
/// The ids of jobs and studies begin with the time of their submission, which is before their end. So a run looks only at data of
/// ids from before the retention, in the order of the ids. What it finds there again in the next run is what it may not remove.
/// </remarks>
public sealed class Removal(NpgsqlDataSource database, RetentionOptions options, ILogger log)
{
    /// <summary>Jobs per statement. It is small, because a job may have megabytes of data or thousands of epochs.</summary>
    private const int BatchSize = 20;

    /// <summary>Jobs per statement that only reads.</summary>
    private const int PageSize = 1000;

    private const int AuditBatchSize = 10_000;

    /// <summary>Studies that are not pinned and older than @age, and whose jobs all ended longer ago than @age.</summary>
    private const string ExpiredStudies = """
        SELECT id FROM studies
        WHERE NOT pinned AND created_at < now() - @age
          AND (SELECT true FROM jobs -- with EXISTS the planner may read the whole table
               WHERE study_id = studies.id AND (finished_at IS NULL OR finished_at >= now() - @age OR jobs.pinned) LIMIT 1) IS NULL
        """;

    /// <summary>Those of the studies of some jobs, as the table `expired`. PostgreSQL reads a study once for all its jobs.</summary>
    /// <param name="studies">SQL of the ids of the studies.</param>
    private static string Expired(string studies) => $"expired AS MATERIALIZED ({ExpiredStudies} AND id IN ({studies}))";

    /// <summary>Condition on a row of jobs, beside the table `expired`: it ended longer ago than @age and is not pinned, and its study
    /// has expired.</summary>
    private const string IsExpired = """
        finished_at < now() - @age AND NOT jobs.pinned AND (study_id IS NULL OR study_id IN (SELECT id FROM expired))
        """;

    /// <returns>Number of rows that were deleted or emptied, by kind of data.</returns>
    /// <exception cref="AggregateException">Kinds of data could not be removed. The others were.</exception>
    public async Task<IReadOnlyDictionary<string, int>> RunAsync(CancellationToken cancellationToken)
    {
        var removed = new Dictionary<string, int>();
        var failures = new List<Exception>();
        await OfJobsAsync(
            options.CheckpointDays,
            new("checkpoints", "checkpoints", "job_id", "true", "true", "DELETE FROM checkpoints USING due WHERE job_id = due.id")
        );
        await OfJobsAsync(
            options.LogitsDays,
            new(
                "logits",
                "models",
                "job_id",
                "classes IS NOT NULL",
                "true",
                "UPDATE models SET classes = NULL, validation_logits = NULL, validation_labels = NULL, test_logits = NULL, "
                    + "test_labels = NULL, true_probabilities = NULL FROM due WHERE job_id = due.id"
            )
        );
        await OfJobsAsync(
            options.WeightsDays,
            new(
                "weights",
                "models",
                "job_id",
                "weights IS NOT NULL",
                "true",
                "UPDATE models SET weights = NULL FROM due WHERE job_id = due.id"
            )
        );
        await OfJobsAsync(
            options.EpochDays,
            new(
                "epochs",
                "epochs",
                "job_id",
                "true",
                // A job that may still be retried from its checkpoint needs the epochs before it.
                "NOT EXISTS (SELECT FROM checkpoints WHERE job_id = jobs.id)",
                ", gone AS (DELETE FROM epochs USING due WHERE job_id = due.id) "
                    + "UPDATE jobs SET metrics_version = metrics_version + 1 FROM due WHERE jobs.id = due.id"
            )
        );
        await OfJobsAsync(
            options.AttemptDays,
            // The budget of a study counts the time of all its attempts.
            new("attempts", "attempts", "job_id", "true", "jobs.study_id IS NULL", "DELETE FROM attempts USING due WHERE job_id = due.id")
        );
        await OfJobsAsync(
            options.JobDays,
            new(
                "jobs",
                "jobs",
                "id",
                "true",
                $"jobs.study_id IS NULL AND NOT {NotificationQueue.IsOpenJob}",
                "DELETE FROM jobs USING due WHERE jobs.id = due.id"
            )
        );
        await EachAsync("studies", options.JobDays, StudiesAsync);
        await EachAsync("audit", options.AuditDays, AuditAsync);
        return failures.Count == 0 ? removed : throw new AggregateException("Retention could not remove all that is due.", failures);

        Task OfJobsAsync(double? kept, Kind kind) => EachAsync(kind.Name, kept, (age, cancellation) => JobsAsync(kind, age, cancellation));

        async Task EachAsync(string kind, double? kept, Func<TimeSpan, CancellationToken, IAsyncEnumerable<int>> remove)
        {
            if (kept is not { } days)
                return;
            removed[kind] = 0;
            try
            {
                await foreach (var rows in remove(TimeSpan.FromDays(days), cancellationToken))
                    removed[kind] += rows;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                log.LogWarning("Retention could not remove all {Kind} that are due: {Reason}", kind, e.Message);
                failures.Add(e);
            }
            if (removed[kind] > 0)
                log.LogInformation("Retention removed {Kind}: {Count} rows", kind, removed[kind]);
        }
    }

    /// <summary>A kind of data of finished jobs.</summary>
    /// <param name="Table">The table of the data.</param>
    /// <param name="Job">Its column with the job's id, the first of an index.</param>
    /// <param name="Has">Condition on a row of the table: it has such data. An index has this condition, where it is not true.</param>
    /// <param name="IsDue">Further condition on the row of jobs, besides the retention.</param>
    /// <param name="Remove">The rest of a statement that removes the data of the jobs of the table `due (id)`.</param>
    private sealed record Kind(string Name, string Table, string Job, string Has, string IsDue, string Remove);

    private async IAsyncEnumerable<int> JobsAsync(Kind kind, TimeSpan age, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (Guid? after = Guid.Empty; after is { } last; )
        {
            (var due, after) = await DueAsync(kind, age, last, cancellationToken);
            foreach (var batch in due.Chunk(BatchSize))
                yield return await RemoveAsync(kind, age, batch, cancellationToken);
        }
    }

    /// <summary>
    /// Looks at the data of up to 1,000 jobs, in the order of their ids. It finds each next job by one look into the index, however
    /// many rows a job has.
    /// </summary>
    /// <returns>The jobs whose data is due, and the last of all; null at the end.</returns>
    private async Task<(IReadOnlyList<Guid> Due, Guid? Last)> DueAsync(
        Kind kind,
        TimeSpan age,
        Guid after,
        CancellationToken cancellationToken
    )
    {
        string Next(string after) =>
            $"SELECT {kind.Job} FROM {kind.Table} WHERE {kind.Has} AND {kind.Job} > {after} AND {kind.Job} < @before "
            + $"ORDER BY {kind.Job} LIMIT 1";
        await using var command = database.CreateCommand(
            $"""
            WITH RECURSIVE page (id, number) AS (
                SELECT ({Next("@after")}), 1
                UNION ALL
                SELECT ({Next("page.id")}), number + 1 FROM page WHERE id IS NOT NULL AND number < @page),
            {Expired("SELECT (SELECT study_id FROM jobs WHERE jobs.id = page.id) FROM page")}
            SELECT page.id, (SELECT true FROM jobs WHERE jobs.id = page.id AND {IsExpired} AND {kind.IsDue}) FROM page ORDER BY number
            """
        );
        command.Parameters.AddWithValue("after", after);
        command.Parameters.AddWithValue("before", FirstId(DateTimeOffset.UtcNow - age));
        command.Parameters.AddWithValue("age", age);
        command.Parameters.AddWithValue("page", PageSize);
        var (due, last) = (new List<Guid>(), (Guid?)null);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            last = row.IsDBNull(0) ? null : row.GetGuid(0);
            if (!row.IsDBNull(1))
                due.Add(last!.Value);
        }
        return (due, last);
    }

    /// <summary>Removes the data of one batch of jobs. It skips locked jobs, such as a job that its user is retrying.</summary>
    private async Task<int> RemoveAsync(Kind kind, TimeSpan age, Guid[] batch, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            WITH {Expired("SELECT study_id FROM jobs WHERE id = ANY (@ids)")},
            due AS (SELECT id FROM jobs WHERE id = ANY (@ids) AND {IsExpired} AND {kind.IsDue} FOR UPDATE OF jobs SKIP LOCKED)
            {kind.Remove}
            """
        );
        command.Parameters.AddWithValue("ids", batch);
        command.Parameters.AddWithValue("age", age);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async IAsyncEnumerable<int> AuditAsync(TimeSpan age, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var last = AuditBatchSize; last >= AuditBatchSize; )
        {
            await using var command = database.CreateCommand(
                "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < now() - @age ORDER BY at LIMIT @batch)"
            );
            command.Parameters.AddWithValue("age", age);
            command.Parameters.AddWithValue("batch", AuditBatchSize);
            yield return last = await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    private async IAsyncEnumerable<int> StudiesAsync(TimeSpan age, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var studies = new StudyQueue(database);
        foreach (var id in await ExpiredStudiesAsync(age, cancellationToken))
            if (await studies.DeleteExpiredAsync(id, age, cancellationToken) == true)
                yield return 1;
    }

    private async Task<IReadOnlyList<Guid>> ExpiredStudiesAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"{ExpiredStudies} AND id < @before");
        command.Parameters.AddWithValue("before", FirstId(DateTimeOffset.UtcNow - age));
        command.Parameters.AddWithValue("age", age);
        var ids = new List<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            ids.Add(row.GetGuid(0));
        return ids;
    }

    /// <returns>An id below all that are made from a time on: a UUID of version 7 begins with the milliseconds.</returns>
    private static Guid FirstId(DateTimeOffset time)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteInt64BigEndian(bytes, Math.Max(0, time.ToUnixTimeMilliseconds()) << 16);
        return new(bytes, bigEndian: true);
    }
}
