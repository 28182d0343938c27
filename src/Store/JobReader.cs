using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Store;

/// <summary>
/// What scripts and dashboards poll, read by SQL of our own: through EF Core such a request would take a third longer. Each
/// answer carries its version, and a version can be asked for by itself, for many at once: who has it need not be sent it again.
/// </summary>
public sealed class JobReader(NpgsqlDataSource database)
{
    /// <summary>Tells one set of stored epochs from every other that this job had: within an attempt the sum only grows, and the next attempt is a greater one.</summary>
    private const int AttemptBits = 40;

    /// <returns>The job with its worker's name, and its version; null when there is no such job.</returns>
    public async Task<(JobRow Job, long Version)?> FindAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            SELECT jobs.xmin, state, stop_requested, reason, spec, progress, attempt, failures, name, workers.device,
                   created_at, claimed_at, training_started_at, finished_at, result
            FROM jobs LEFT JOIN workers ON workers.id = worker_id WHERE jobs.id = $1
            """);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        if (!await row.ReadAsync(cancellationToken)) return null;
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
        }, row.GetFieldValue<uint>(0));

        DateTimeOffset? Time(int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
    }

    /// <returns>Of each job that there is, its version: the transaction that wrote its row last.</returns>
    public async Task<IReadOnlyDictionary<Guid, long>> VersionsAsync(IReadOnlyCollection<Guid> ids)
    {
        await using var command = database.CreateCommand("SELECT id, xmin FROM jobs WHERE id = ANY($1)");
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. ids] });
        await using var row = await command.ExecuteReaderAsync();
        var versions = new Dictionary<Guid, long>(ids.Count);
        while (await row.ReadAsync()) versions[row.GetGuid(0)] = row.GetFieldValue<uint>(1);
        return versions;
    }

    /// <param name="after">Only later epochs are given; 0 for all.</param>
    /// <returns>The metrics of a job's epochs, oldest first, and their version; null when there is no such job.</returns>
    public async Task<(IReadOnlyList<EpochMetrics> Epochs, long Version)?> MetricsAsync(Guid id, int after, CancellationToken cancellationToken)
    {
        var (epochs, sum, latest) = (new List<EpochMetrics>(), 0L, 0L);
        await using (var command = database.CreateCommand(
            """
            SELECT epoch, attempt, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap, learning_rate, seconds, images_per_second
            FROM epochs WHERE job_id = $1 AND epoch > $2 ORDER BY epoch
            """))
        {
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = after });
            await using var row = await command.ExecuteReaderAsync(cancellationToken);
            while (await row.ReadAsync(cancellationToken))
            {
                var attempt = row.GetInt32(1);
                (sum, latest) = (sum + attempt, Math.Max(latest, attempt));
                epochs.Add(new(
                    row.GetInt32(0), row.GetDouble(2), row.GetDouble(3), row.GetDouble(4), row.GetDouble(5),
                    row.GetDouble(6), row.GetDouble(7), row.GetDouble(8), row.GetDouble(9), row.GetDouble(10)));
            }
        }
        // Epochs prove their job; none may also mean that there is no such job.
        return epochs.Count > 0 || (await VersionsAsync([id])).Count > 0 ? (epochs, (latest << AttemptBits) + sum) : null;
    }

    /// <returns>For each job that there is, the version of its metrics after the epoch given.</returns>
    public async Task<IReadOnlyDictionary<(Guid Id, int After), long>> MetricsVersionsAsync(IReadOnlyCollection<(Guid Id, int After)> asked)
    {
        await using var command = database.CreateCommand(
            $"""
            SELECT id, after, (SELECT coalesce((max(attempt)::bigint << {AttemptBits}) + sum(attempt), 0)
                               FROM epochs WHERE job_id = id AND epoch > after)
            FROM unnest($1, $2) AS asked(id, after) JOIN jobs USING (id)
            """);
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. asked.Select(one => one.Id)] });
        command.Parameters.Add(new NpgsqlParameter<int[]> { TypedValue = [.. asked.Select(one => one.After)] });
        await using var row = await command.ExecuteReaderAsync();
        var versions = new Dictionary<(Guid, int), long>(asked.Count);
        while (await row.ReadAsync()) versions[(row.GetGuid(0), row.GetInt32(1))] = row.GetInt64(2);
        return versions;
    }
}
