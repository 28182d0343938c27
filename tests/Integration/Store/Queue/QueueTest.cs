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

    /// <summary>
    /// Makes jobs and studies older, as if they had been submitted and ended so many days earlier. Their ids change, because an id
    /// begins with the time.
    /// </summary>
    /// <param name="jobs">SQL condition on the jobs.</param>
    /// <param name="studies">SQL condition on the studies.</param>
    protected Task AgeAsync(int days = 11, string jobs = "true", string studies = "true") =>
        Database.ExecuteAsync(
            $"""
            DO $$
            DECLARE
                past interval := interval '{days} days';
                reference record;
            BEGIN
                SET LOCAL session_replication_role = replica; -- no foreign keys
                CREATE TEMP TABLE aged ON COMMIT DROP AS
                SELECT id, {IdAt("made - past", "substr(replace(id::text, '-', ''), 13)")} AS aged_id
                FROM (SELECT id, to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0) AS made
                      FROM (SELECT id FROM jobs WHERE {jobs} UNION ALL SELECT id FROM studies WHERE {studies}) ids) times;
                UPDATE jobs SET finished_at = finished_at - past WHERE id IN (SELECT id FROM aged);
                UPDATE studies SET created_at = created_at - past WHERE id IN (SELECT id FROM aged);
                FOR reference IN
                    SELECT table_name, column_name FROM information_schema.columns
                    WHERE table_schema = 'public' AND (column_name IN ('job_id', 'study_id', 'reproduces')
                          OR column_name = 'id' AND table_name IN ('jobs', 'studies'))
                LOOP
                    EXECUTE format('UPDATE %1$I SET %2$I = aged_id FROM aged WHERE %1$I.%2$I = aged.id',
                                   reference.table_name, reference.column_name);
                END LOOP;
            END $$
            """
        );

    /// <summary>SQL of an id of a time.</summary>
    /// <param name="rest">SQL of the 20 hexadecimal digits after the time.</param>
    protected static string IdAt(string time, string rest) =>
        $"(lpad(to_hex((extract(epoch FROM {time}) * 1000)::bigint), 12, '0') || {rest})::uuid";

    protected async Task<JobRow> JobAsync(Guid id)
    {
        await using var db = Db();
        return await db.Jobs.AsNoTracking().Include(job => job.Epochs).SingleAsync(job => job.Id == id);
    }
}
