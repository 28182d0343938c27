using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Store;

/// <summary>What tells one state of a job's row, and of its epochs, from every other.</summary>
public readonly record struct JobVersion(long Job, long Metrics);

/// <summary>
/// What scripts and dashboards poll, read by SQL of our own: through EF Core such a request would take a third longer. Versions
/// can be asked for by themselves, many at once: who has one need not be sent it again.
/// None can be cancelled: to stop a statement takes longer than any of these.
/// </summary>
/// <param name="database">For these short statements alone, so that nothing slow keeps them waiting.</param>
public sealed class JobReader(NpgsqlDataSource database)
{
    // xmin, the transaction that wrote the row, would do if a restored database did not give its numbers once more.
    private const string OfJob = "hashtextextended(concat_ws('|', jobs.xmin, state, stop_requested, attempt, progress), 0)";

    private const string OfMetrics = "hashtextextended(concat_ws('|', metrics_version, state, attempt), 0)";

    /// <returns>The job with its worker's name, and its version; null when there is no such job.</returns>
    public async Task<(JobRow Job, long Version)?> FindAsync(Guid id)
    {
        await using var command = database.CreateCommand(
            $"""
            SELECT {OfJob}, state, stop_requested, reason, spec, progress, attempt, failures, name, workers.device,
                   created_at, claimed_at, training_started_at, finished_at, result, reproduces, study_id, pinned
            FROM jobs LEFT JOIN workers ON workers.id = worker_id WHERE jobs.id = $1
            """);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        await using var row = await command.ExecuteReaderAsync();
        if (!await row.ReadAsync()) return null;
        return (new JobRow
        {
            Id = id,
            State = TemperDb.Parse<JobState>(row.GetString(1)),
            StopRequested = row.IsDBNull(2) ? null : TemperDb.Parse<StopRequest>(row.GetString(2)),
            Reason = row.IsDBNull(3) ? null : row.GetString(3),
            Spec = Json.Read<JobSpec>(row.GetString(4)),
            Progress = row.IsDBNull(5) ? null : Json.Read<TrainingProgress>(row.GetString(5)),
            Attempt = row.GetInt32(6),
            Failures = row.GetInt32(7),
            Worker = row.IsDBNull(8) ? null : new() { Name = row.GetString(8), Device = row.GetString(9) },
            CreatedAt = row.GetFieldValue<DateTimeOffset>(10),
            ClaimedAt = Time(11),
            TrainingStartedAt = Time(12),
            FinishedAt = Time(13),
            Result = row.IsDBNull(14) ? null : Json.Read<JobResult>(row.GetString(14)),
            Reproduces = row.IsDBNull(15) ? null : row.GetGuid(15),
            StudyId = row.IsDBNull(16) ? null : row.GetGuid(16),
            Pinned = row.GetBoolean(17),
        }, row.GetInt64(0));

        DateTimeOffset? Time(int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
    }

    /// <param name="after">Only later epochs are given; 0 for all.</param>
    /// <returns>The metrics of a job's epochs, oldest first; none where there is no such job.</returns>
    public async Task<IReadOnlyList<EpochMetrics>> MetricsAsync(Guid id, int after)
    {
        await using var command = database.CreateCommand(
            """
            SELECT epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap, learning_rate, seconds, images_per_second
            FROM epochs WHERE job_id = $1 AND epoch > $2 ORDER BY epoch
            """);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = after });
        await using var row = await command.ExecuteReaderAsync();
        var epochs = new List<EpochMetrics>();
        while (await row.ReadAsync())
            epochs.Add(new(
                row.GetInt32(0), row.GetDouble(1), row.GetDouble(2), row.GetDouble(3), row.GetDouble(4),
                row.GetDouble(5), row.GetDouble(6), row.GetDouble(7), row.GetDouble(8), row.GetDouble(9)));
        return epochs;
    }

    /// <returns>The versions of each job that there is.</returns>
    public async Task<IReadOnlyDictionary<Guid, JobVersion>> VersionsAsync(IReadOnlyCollection<Guid> ids)
    {
        await using var command = database.CreateCommand($"SELECT id, {OfJob}, {OfMetrics} FROM jobs WHERE id = ANY($1)");
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. ids] });
        await using var row = await command.ExecuteReaderAsync();
        var versions = new Dictionary<Guid, JobVersion>(ids.Count);
        while (await row.ReadAsync()) versions[row.GetGuid(0)] = new(row.GetInt64(1), row.GetInt64(2));
        return versions;
    }
}
