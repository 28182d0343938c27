using Microsoft.EntityFrameworkCore;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Harness.Model;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Integration.Model;

/// <summary>
/// The real queue as a stage. A script's time passes only in <see cref="PassAsync"/>, which moves the tables' timestamps back. A
/// test compares the queue's backoff with the twin's (<see cref="BackoffSecondsAsync"/>), then sets the time from which the job
/// may run to what the script expects.
/// </summary>
internal sealed class PostgresStage(NpgsqlDataSource database, NpgsqlConnection presence) : IStage
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0.1,
        Epochs = 3,
    };
    private static readonly JobResult Result = new(0.9, 0.3, 0.04, 0.02, 3, "cpu", 2, "libtorch", new string('a', 64), []);

    private readonly JobQueue queue = new(database);

    public async Task<Guid> SubmitAsync(int maxAttempts, int priority, bool needsCuda, int revision)
    {
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database).Options);
        var spec = Spec with { MaxAttempts = maxAttempts, Priority = priority, Device = needsCuda ? DeviceName.Cuda : DeviceName.Auto };
        await using var transaction = await db.Database.BeginTransactionAsync();
        var id = (await JobQueue.SubmitAsync(db, TenantStore.Default, spec, default)).Id;
        await db.Database.ExecuteSqlAsync($"UPDATE jobs SET spec_revision = {revision} WHERE id = {id}");
        await transaction.CommitAsync();
        return id;
    }

    public async Task<(Guid Id, int Attempt)?> ClaimAsync(WorkerIdentity worker, bool hasCuda, int knownRevision)
    {
        var claiming = new JobQueue(database) { KnownRevision = knownRevision };
        return await claiming.ClaimAsync(worker.Id, hasCuda, default) is { } job ? (job.Id, job.Attempt) : null;
    }

    public Task<IReadOnlyDictionary<(Guid Id, int Attempt), StopRequest?>> HeartbeatAsync(
        WorkerIdentity worker,
        IReadOnlyCollection<(Guid Id, int Attempt)> known
    ) => queue.HeartbeatAsync(worker, [.. known.Select(job => new HeldJob(Job(job.Id, job.Attempt), null))], null, default);

    public Task<bool> ReportTrainingStartedAsync(Guid id, int attempt) => queue.ReportTrainingStartedAsync(Job(id, attempt), null, default);

    public Task<bool> ReportAsync(Guid id, int attempt, IReadOnlyList<int> epochs, int? checkpoint) =>
        queue.ReportAsync(
            Job(id, attempt),
            [.. epochs.Select(epoch => new EpochMetrics(epoch, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400))],
            checkpoint is { } made ? BitConverter.GetBytes(made) : null,
            default
        );

    public async Task<int?> ReadCheckpointAsync(Guid id) =>
        await queue.ReadCheckpointAsync(Job(id, 0), default) is { } data ? BitConverter.ToInt32(data) : null;

    public Task<bool> SucceedAsync(Guid id, int attempt) => queue.SucceedAsync(Job(id, attempt), Result, new([1, 2, 3], null), default);

    public Task<bool> FailAsync(Guid id, int attempt, string reason) => queue.FailAsync(Job(id, attempt), reason, default);

    public Task<bool> GiveBackAsync(Guid id, int attempt, string reason) => queue.GiveBackAsync(Job(id, attempt), reason, null, default);

    public Task<bool> HandBackAsync(Guid id, int attempt, string reason) => queue.HandBackAsync(Job(id, attempt), reason, default);

    public async Task SetPresenceAsync(WorkerIdentity worker, bool isPresent)
    {
        await using var unlock = new NpgsqlCommand("SELECT pg_advisory_unlock($1)", presence)
        {
            Parameters = { new() { Value = worker.PresenceKey } },
        };
        await unlock.ExecuteNonQueryAsync();
        if (isPresent)
            await JobQueue.TryTakePresenceAsync(presence, worker, default);
    }

    public Task<IReadOnlyList<WorkerSighting>> WatchAsync(WorkerIdentity watcher) => JobQueue.WatchAsync(presence, watcher.Id, default);

    public Task<IReadOnlyList<Guid>> RescueAsync(WorkerSighting lost, string reason) => queue.RescueAsync(lost, reason, default);

    public Task LeaveAsync(WorkerIdentity worker) => queue.LeaveAsync(worker.Id, default);

    public Task ForgetDeadWorkersAsync() => queue.ForgetDeadWorkersAsync(default);

    public Task<bool> DrainAsync(WorkerIdentity worker, bool drain) =>
        drain ? queue.DrainWorkerAsync(worker.Id, default) : queue.ResumeWorkerAsync(worker.Id, default);

    public Task<bool> CommandAsync(JobVerb verb, Guid id, bool fresh) =>
        verb switch
        {
            JobVerb.Cancel => queue.CancelAsync(id, default),
            JobVerb.Pause => queue.PauseAsync(id, default),
            JobVerb.Resume => queue.ResumeAsync(id, default),
            JobVerb.Retry => queue.RetryAsync(id, fresh, default),
            _ => queue.DeleteAsync(id, default),
        };

    public async Task<IReadOnlyDictionary<Guid, JobShape>> ShapesAsync()
    {
        await using var command = database.CreateCommand(
            """
            SELECT id, state, state = 'queued' AND run_at <= clock_timestamp(), attempt, failures, worker_id, stop_requested,
                   training_started_at IS NOT NULL, finished_at IS NOT NULL,
                   (SELECT string_agg(epoch || '@' || attempt, ' ' ORDER BY epoch, attempt) FROM epochs WHERE job_id = jobs.id),
                   (SELECT data FROM checkpoints WHERE job_id = jobs.id),
                   (SELECT string_agg(attempt || ' ' || replace(outcome, '_', ''), ', ' ORDER BY attempt) FROM attempts WHERE job_id =
                       jobs.id),
                   reason
            FROM jobs
            """
        );
        var shapes = new Dictionary<Guid, JobShape>();
        await using var reader = await command.ExecuteReaderAsync();
        T? Column<T>(int i) => reader.IsDBNull(i) ? default : reader.GetFieldValue<T>(i);
        while (await reader.ReadAsync())
            shapes[reader.GetGuid(0)] = new(
                Enum.Parse<JobState>(reader.GetString(1), ignoreCase: true),
                reader.GetBoolean(2),
                reader.GetInt32(3),
                reader.GetInt32(4),
                Column<Guid?>(5),
                Column<string>(6) is { } stop ? Enum.Parse<StopRequest>(stop, ignoreCase: true) : null,
                reader.GetBoolean(7),
                reader.GetBoolean(8),
                Column<string>(9),
                Column<byte[]>(10) is { } checkpoint ? BitConverter.ToInt32(checkpoint) : null,
                Column<string>(11),
                Column<string>(12)
            );
        return shapes;
    }

    public async Task<IReadOnlyCollection<Guid>> WorkersAsync()
    {
        await using var command = database.CreateCommand("SELECT array_agg(id) FROM workers");
        return await command.ExecuteScalarAsync() as Guid[] ?? [];
    }

    public async Task<WorkerSighting[]> PassAsync(TimeSpan time, IEnumerable<WorkerSighting> seen)
    {
        await using var command = database.CreateCommand(
            "WITH w AS (UPDATE workers SET heartbeat_at = heartbeat_at - @time) UPDATE jobs SET claimed_at = claimed_at - @time"
        );
        command.Parameters.AddWithValue("time", time);
        await command.ExecuteNonQueryAsync();
        return [.. seen.Select(sighting => sighting with { HeartbeatAt = sighting.HeartbeatAt - time })];
    }

    /// <returns>The seconds from the end of the job's last attempt until it may be claimed again.</returns>
    public async Task<double> BackoffSecondsAsync(Guid id)
    {
        await using var command = database.CreateCommand(
            "SELECT extract(epoch FROM run_at - (SELECT max(ended_at) FROM attempts WHERE job_id = jobs.id))::float8 FROM jobs WHERE "
                + "id = $1"
        );
        command.Parameters.AddWithValue(id);
        return (double)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Makes the job wait, or not wait, however long the test itself takes.</summary>
    public async Task PinAsync(Guid id, bool waits)
    {
        await using var command = database.CreateCommand("UPDATE jobs SET run_at = clock_timestamp() + $2 WHERE id = $1");
        command.Parameters.AddWithValue(id);
        command.Parameters.AddWithValue(TimeSpan.FromHours(waits ? 1 : -1));
        await command.ExecuteNonQueryAsync();
    }

    public async Task ClearAsync()
    {
        await using var command = database.CreateCommand("DELETE FROM jobs; DELETE FROM workers");
        await command.ExecuteNonQueryAsync();
    }

    private static ClaimedJob Job(Guid id, int attempt) => new(id, attempt, Spec, TenantStore.Default);
}
