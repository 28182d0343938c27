using Npgsql;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Rows;
using Temper.Store.Tenants;

namespace Temper.Store;

/// <summary>Versions that change whenever a job's row or its epochs change.</summary>
public readonly record struct JobVersion(long Job, long Metrics);

/// <summary>
/// Reads what scripts and dashboards poll. It uses hand-written SQL: through EF Core such a request takes a third longer.
/// <see cref="VersionsAsync"/> reads the versions of many jobs at once, so that the API need not send a client a job that it has.
/// The reads cannot be cancelled: to cancel a statement takes longer than any of them.
/// </summary>
/// <param name="database">Used for these short statements only, so that no slow statement delays them.</param>
public sealed class JobReader(NpgsqlDataSource database)
{
    /// <summary>Whether a queued job waits for a worker of a newer build; null for other jobs. Every worker knows revision 1.</summary>
    private static readonly string IsKnownToNobody = $"""
        CASE WHEN state = 'queued' AND jobs.spec_revision > 1 THEN NOT EXISTS (
            SELECT FROM workers living WHERE living.spec_revision >= jobs.spec_revision
            AND living.heartbeat_at > clock_timestamp() - interval '{WorkerRow.SilentAfterSeconds} s') END
        """;

    // xmin, the id of the transaction that wrote the row, is not enough: a restored database may reuse these ids.
    private static readonly string OfJob =
        $"hashtextextended(concat_ws('|', jobs.xmin, state, stop_requested, attempt, progress, {TenantStore.Wait}, {IsKnownToNobody}), 0)";

    private const string OfMetrics = "metrics_version::bigint";

    private static readonly string Columns = $"""
        jobs.id, {OfJob}, state, stop_requested, coalesce({TenantStore.Wait}, reason), spec, progress, attempt, failures, name,
        workers.device, created_at, claimed_at, training_started_at, finished_at, result, reproduces, study_id, pinned,
        jobs.spec_revision, {IsKnownToNobody}
        """;

    private const string Rows = "jobs LEFT JOIN workers ON workers.id = worker_id";

    /// <returns>The job with its worker's name, and its version; null when there is no such job.</returns>
    /// <exception cref="NewerBuildException">This build cannot read the job.</exception>
    public async Task<(JobRow Job, long Version)?> FindAsync(Guid id)
    {
        await using var command = database.CreateCommand($"SELECT {Columns} FROM {Rows} WHERE jobs.id = $1");
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        await using var row = await command.ExecuteReaderAsync();
        return await row.ReadAsync() ? (Read(row), row.GetInt64(1)) : null;
    }

    /// <returns>The jobs, newest first; null for a job that this build cannot read, such as a newer build's.</returns>
    public async Task<IReadOnlyList<(Guid Id, JobRow? Job)>> ListAsync(Guid[] ids)
    {
        await using var command = database.CreateCommand($"SELECT {Columns} FROM {Rows} WHERE jobs.id = ANY($1) ORDER BY sequence DESC");
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = ids });
        await using var row = await command.ExecuteReaderAsync();
        var jobs = new List<(Guid, JobRow?)>(ids.Length);
        while (await row.ReadAsync())
            jobs.Add((row.GetGuid(0), ReadOrNull(row)));
        return jobs;
    }

    private static JobRow? ReadOrNull(NpgsqlDataReader row)
    {
        try
        {
            return Read(row);
        }
        catch (NewerBuildException)
        {
            return null;
        }
    }

    private static JobRow Read(NpgsqlDataReader row)
    {
        return new()
        {
            Id = row.GetGuid(0),
            State = TemperDb.Parse<JobState>(row.GetString(2)),
            StopRequested = row.IsDBNull(3) ? null : TemperDb.Parse<StopRequest>(row.GetString(3)),
            Reason =
                !row.IsDBNull(20) && row.GetBoolean(20)
                    ? $"It waits for a worker of a newer build: no living worker knows revision {row.GetInt32(19)} of the spec format."
                : row.IsDBNull(4) ? null
                : row.GetString(4),
            Spec = TemperDb.Read<JobSpec>(row.GetString(5)),
            Progress = row.IsDBNull(6) ? null : TemperDb.Read<TrainingProgress>(row.GetString(6)),
            Attempt = row.GetInt32(7),
            Failures = row.GetInt32(8),
            Worker = row.IsDBNull(9) ? null : new() { Name = row.GetString(9), Device = row.GetString(10) },
            CreatedAt = row.GetFieldValue<DateTimeOffset>(11),
            ClaimedAt = Time(12),
            TrainingStartedAt = Time(13),
            FinishedAt = Time(14),
            Result = row.IsDBNull(15) ? null : TemperDb.Read<JobResult>(row.GetString(15)),
            Reproduces = row.IsDBNull(16) ? null : row.GetGuid(16),
            StudyId = row.IsDBNull(17) ? null : row.GetGuid(17),
            Pinned = row.GetBoolean(18),
            SpecRevision = row.GetInt32(19),
        };

        DateTimeOffset? Time(int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
    }

    /// <param name="after">Returns only epochs after this one; 0 for all.</param>
    /// <returns>The metrics of the job's epochs, oldest first; empty when there is no such job.</returns>
    public async Task<IReadOnlyList<EpochMetrics>> MetricsAsync(Guid id, int after)
    {
        await using var command = database.CreateCommand(
            """
            SELECT epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap, learning_rate, seconds,
                images_per_second, validation_loss_after_temperature
            FROM epochs WHERE job_id = $1 AND epoch > $2 ORDER BY epoch
            """
        );
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = after });
        await using var row = await command.ExecuteReaderAsync();
        var epochs = new List<EpochMetrics>();
        while (await row.ReadAsync())
            epochs.Add(ReadEpoch(row, 0));
        return epochs;
    }

    /// <returns>The scores of the job and those under corruption, kind by kind; null when it has none under corruption.</returns>
    /// <exception cref="NewerBuildException">This build does not know a kind of corruption.</exception>
    public async Task<(Scores Scores, IReadOnlyList<CorruptionScores> Corruptions)?> CorruptionsAsync(Guid id)
    {
        await using var command = database.CreateCommand(
            $"""
            SELECT kind, strength, {string.Join(", ", ScoreColumns.OfSplit.Select(column => $"corrupted.{column.Name}"))},
                {string.Join(", ", ScoreColumns.All.Select(column => $"scores.{column.Name}"))}
            FROM corruption_scores corrupted JOIN scores USING (job_id) WHERE job_id = $1
            """
        );
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        await using var row = await command.ExecuteReaderAsync();
        Scores? scores = null;
        var corruptions = new List<CorruptionScores>();
        while (await row.ReadAsync())
        {
            scores ??= ScoreColumns.Read(row, 2 + ScoreColumns.OfSplit.Count);
            corruptions.Add(new(new(TemperDb.Parse<CorruptionKind>(row.GetString(0)), row.GetInt32(1)), ScoreColumns.ReadSplit(row, 2)));
        }
        return scores is null
            ? null
            : (scores, [.. corruptions.OrderBy(one => one.Corruption.Kind).ThenBy(one => one.Corruption.Strength)]);
    }

    /// <param name="first">The column of the epoch; the metrics follow it.</param>
    internal static EpochMetrics ReadEpoch(NpgsqlDataReader row, int first) =>
        new(
            row.GetInt32(first),
            row.GetDouble(first + 1),
            row.GetDouble(first + 2),
            row.GetDouble(first + 3),
            row.GetDouble(first + 4),
            row.GetDouble(first + 5),
            row.GetDouble(first + 6),
            row.GetDouble(first + 7),
            row.GetDouble(first + 8),
            row.GetDouble(first + 9),
            row.IsDBNull(first + 10) ? null : row.GetDouble(first + 10)
        );

    /// <returns>The versions of the jobs that exist.</returns>
    public async Task<IReadOnlyDictionary<Guid, JobVersion>> VersionsAsync(IReadOnlyCollection<Guid> ids)
    {
        await using var command = database.CreateCommand($"SELECT id, {OfJob}, {OfMetrics} FROM jobs WHERE id = ANY($1)");
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. ids] });
        await using var row = await command.ExecuteReaderAsync();
        var versions = new Dictionary<Guid, JobVersion>(ids.Count);
        while (await row.ReadAsync())
            versions[row.GetGuid(0)] = new(row.GetInt64(1), row.GetInt64(2));
        return versions;
    }
}
