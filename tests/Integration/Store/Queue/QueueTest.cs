using Microsoft.EntityFrameworkCore;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Rows;
using Temper.Store.Tenants;

namespace Temper.Integration.Store.Queue;

/// <summary>Gives each test a database with an empty queue.</summary>
public abstract class QueueTest : IAsyncLifetime
{
    protected static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0.1,
        Epochs = 3,
    };

    protected static readonly EpochMetrics Metrics = new(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400);

    protected static readonly JobResult Result = new(0.9, 0.3, 0.04, 0.02, 3, "cpu", 2, "libtorch", new string('a', 64), []);

    protected static readonly TrainedModel Model = new([1, 2, 3], StoredLogits.Of(new([2, 0, 0, 1], [0, 0], 2), new([2, 0], [0], 2), null));

    protected TestDatabase Database { get; private set; } = null!;

    protected JobQueue Queue { get; private set; } = null!;

    /// <summary>A registered worker.</summary>
    protected WorkerIdentity Worker { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.TakeAsync();
        Queue = new JobQueue(Database.DataSource);
        Worker = await RegisterAsync();
    }

    public async Task DisposeAsync() => await Database.GiveBackAsync();

    protected async Task<WorkerIdentity> RegisterAsync()
    {
        var worker = WorkerIdentity.Create("cpu", 1);
        await Queue.HeartbeatAsync(worker, [], null, default);
        return worker;
    }

    /// <returns>A connection that hears the queue's notices. It is not pooled, because a pooled one listens on in the next test.</returns>
    protected async Task<NpgsqlConnection> ListenAsync()
    {
        var listener = new NpgsqlConnection($"{Database.ConnectionString};Pooling=false");
        await listener.OpenAsync();
        await using var listen = new NpgsqlCommand($"LISTEN {JobQueue.Channel}", listener);
        await listen.ExecuteNonQueryAsync();
        return listener;
    }

    protected TemperDb Db() => new(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(Database.DataSource).Options);

    protected async Task<Guid> SubmitAsync(JobSpec? spec = null)
    {
        await using var db = Db();
        return (await JobQueue.SubmitAsync(db, TenantStore.Default, spec ?? Spec, default)).Id;
    }

    protected async Task<ClaimedJob> ClaimAsync(WorkerIdentity? by = null) =>
        await Queue.ClaimAsync((by ?? Worker).Id, hasCuda: false, default) ?? throw new InvalidOperationException("Nothing to claim.");

    protected async Task<ClaimedJob> SubmitAndClaimAsync(JobSpec? spec = null)
    {
        await SubmitAsync(spec);
        return await ClaimAsync();
    }

    /// <summary>Waits until one statement waits for a lock.</summary>
    protected Task UntilOneWaitsAsync() =>
        Eventually.TrueAsync(async () =>
            await Database.ScalarAsync<long>(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ) == 1
        );

    protected async Task<JobRow> JobAsync(Guid id)
    {
        await using var db = Db();
        return await db.Jobs.AsNoTracking().Include(job => job.Epochs).SingleAsync(job => job.Id == id);
    }
}
