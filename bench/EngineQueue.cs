using Hangfire;
using Hangfire.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Engine;
using Temper.Store.Notifications;
using Temper.Store.Queue;
using Temper.Store.Tenants;
using Temper.Worker.Engine;
using Temper.Worker.Instruments;
using Temper.Worker.Notifications;
using Temper.Worker.Slots;
using Temper.Worker.Supervisor;

namespace Temper.Bench;

/// <summary>
/// A worker with a given number of slots but without the training: claim, Hangfire's job, success with a result and a model of 64
/// bytes. Statements, presence, heartbeat, Hangfire's server and its settings are those of production.
/// </summary>
internal sealed class EngineQueue : IAsyncDisposable
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0.1,
        Epochs = 1,
    };
    private static readonly JobResult Result = new(0.9, 0.3, 0.05, 0.05, 1, "cpu", 2, "none", new string('0', 64), []);
    private static readonly TrainedModel Model = new(new byte[64], null);

    private readonly CancellationTokenSource ending = new();
    private readonly NpgsqlDataSource database;
    private readonly JobQueue queue;
    private readonly WorkerIdentity worker;
    private readonly SlotPool slots;
    private readonly JobNotifier notifier = new();
    private readonly List<Task> loops = [];
    private readonly BackgroundProcessingServer server;

    public EngineQueue(string connectionString, int slots, Action onClaimed, Action onStarted, Action onSucceeded)
    {
        database = Database.Open(connectionString);
        queue = new(database);
        worker = WorkerIdentity.Create("cpu", slots);
        this.slots = new(Enumerable.Range(0, slots).Select(_ => new EmptySlot(queue, worker, onClaimed, onStarted, onSucceeded)));
        queue.HeartbeatAsync(worker, [], null, default).Wait();
        loops.Add(BeatAsync());
        loops.Add(
            new Presence(
                worker,
                queue,
                notifier,
                new WorkerOptions { Home = ".", ConnectionString = connectionString },
                NullLogger.Instance
            )
            {
                OnStop = (_, _) => { },
            }.RunAsync(ending.Token)
        );
        notifier.Wait(TimeSpan.FromSeconds(10), ending.Token); // the first notice says that it listens
        JobStorage? storage = null;
        var claims = new ClaimingQueue(database, this.slots, notifier, NullLogger.Instance) { Storage = () => storage! };
        storage = EngineStorage.Open(connectionString, claims, EngineServer.Connections(slots), EngineServer.CommandSeconds);
        server = EngineServer.Start(
            storage,
            worker,
            new Temper.Worker.Engine.TrainingJob(claims, queue, ending.Token),
            new Housekeeping(database, new(), NullLogger.Instance),
            new Notifying(storage, new NotificationQueue(database), new(), new Posting(new()), NullLogger.Instance),
            new AttemptSweep(queue, worker, NullLogger.Instance),
            NullLogger.Instance
        );
    }

    /// <summary>Stores jobs as submissions do, in one statement.</summary>
    public static async Task FillAsync(TestDatabase database, int jobs, bool priorities = false)
    {
        await using var command = database.DataSource.CreateCommand(
            "INSERT INTO jobs (id, spec, state, attempt, failures) SELECT id, jsonb_set($1, '{priority}', to_jsonb(priority)), "
                + "'queued', 0, 0 FROM unnest($2, $3) AS job(id, priority)"
        );
        var random = new Random(1);
        command.Parameters.Add(new() { Value = Json.Write(Spec), NpgsqlDbType = NpgsqlDbType.Jsonb });
        command.Parameters.Add(new() { Value = Enumerable.Range(0, jobs).Select(_ => Guid.CreateVersion7()).ToArray() });
        command.Parameters.Add(new() { Value = Enumerable.Range(0, jobs).Select(_ => priorities ? random.Next(-5, 6) : 0).ToArray() });
        await command.ExecuteNonQueryAsync();
    }

    public static Task SubmitAsync(TemperDb db) => JobQueue.SubmitAsync(db, TenantStore.Default, Spec, default);

    private async Task BeatAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        while (!ending.IsCancellationRequested)
        {
            await Task.WhenAny(timer.WaitForNextTickAsync(ending.Token).AsTask());
            await queue.HeartbeatAsync(
                worker,
                [.. slots.Attempts.Select(attempt => new HeldJob(attempt.Job, null))],
                null,
                CancellationToken.None,
                () => slots.Attempts.Select(attempt => attempt.Job)
            );
        }
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        server.SendStop();
        await slots.DrainAsync();
        await server.WaitForShutdownAsync(CancellationToken.None);
        server.Dispose();
        await Task.WhenAll(loops);
        await slots.DisposeAsync();
        await database.DisposeAsync();
    }

    private sealed class EmptySlot(JobQueue queue, WorkerIdentity worker, Action onClaimed, Action onStarted, Action onSucceeded) : ISlot
    {
        public Attempt? Attempt { get; private set; }

        public bool HasFailed => false;

        public async Task<Attempt?> TryClaimAsync(CancellationToken stopping)
        {
            if (await queue.ClaimAsync(worker.Id, hasCuda: false, stopping) is not { } job)
                return null;
            onClaimed();
            return Attempt = new(job, AttemptTelemetry.Claimed(job, DateTimeOffset.UtcNow, 0));
        }

        public async Task<AttemptResult> CarryOutAsync(Attempt attempt, CancellationToken stopping)
        {
            onStarted();
            if (!await queue.SucceedAsync(attempt.Job, Result, Model, CancellationToken.None))
                throw new InvalidOperationException($"Job {attempt.Job.Id} was taken away.");
            Attempt = null;
            onSucceeded();
            return AttemptResult.Succeeded;
        }

        public async Task HandBackAsync(Attempt attempt, string reason)
        {
            await queue.HandBackAsync(attempt.Job, reason, CancellationToken.None);
            Attempt = null;
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
