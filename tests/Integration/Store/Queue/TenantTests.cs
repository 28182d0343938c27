using Npgsql;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Studies;
using Temper.Store.Tenants;

namespace Temper.Integration.Store.Queue;

/// <summary>Tests whose turn it is in the queue, and that no race exceeds a quota.</summary>
public class TenantTests : QueueTest
{
    private static readonly StudySpec ThreeJobs = new()
    {
        Job = Spec,
        Epsilons = [0],
        Smoothing = [Domain.Smoothing.SmoothingConvention.Uniform],
        LearningRates = [0.001],
        LabelNoise = [0],
        Models = [ModelName.Cnn],
        Seeds = [0, 1, 2],
    };

    private TenantStore Tenants => new(Database.DataSource, Database.DataSource);

    [Fact]
    public async Task Claim_BesideTenThousandJobsOfAnother_GetsTheNextFreedSlot()
    {
        await QueueAsync("a", 10_000, priority: 5);
        ClaimedJob[] running = [await ClaimAsync(), await ClaimAsync(), await ClaimAsync(), await ClaimAsync()];
        var (id, next) = (await SubmitAsync("b"), await SubmitAsync("b"));

        await SucceedAsync(running[0]);
        Assert.Equal(id, (await ClaimAsync()).Id);
        await SucceedAsync(running[1]);
        Assert.Equal(next, (await ClaimAsync()).Id);
        Assert.Equal("a", await TenantOfAsync((await ClaimAsync()).Id));
    }

    [Fact]
    public async Task Claim_OneSlot_TakesTurns()
    {
        await QueueAsync("a", 5, priority: 9);
        await QueueAsync("b", 2);
        await QueueAsync("c", 1);
        var order = "";
        for (var i = 0; i < 8; i++)
        {
            var job = await ClaimAsync();
            order += await TenantOfAsync(job.Id);
            await SucceedAsync(job);
        }

        Assert.Equal("abcabaaa", order);
    }

    [Fact]
    public async Task Claim_WithinATenant_IsByPriorityAndAge()
    {
        await SubmitAsync("b");
        var (low, old, young, high) = (
            await SubmitAsync("a", Spec with { Priority = -1 }),
            await SubmitAsync("a"),
            await SubmitAsync("a"),
            await SubmitAsync("a", Spec with { Priority = 5 })
        );
        var order = new List<Guid>();
        while (await Queue.ClaimAsync(Worker.Id, hasCuda: false, default) is { } job)
            order.Add(job.Id);

        Assert.Equal([high, old, young, low], order.Where(id => id == high || id == old || id == young || id == low));
    }

    [Fact]
    public async Task Claim_ATenantWhoseJobsNoWorkerCanRun_TakesNoTurn()
    {
        await SubmitAsync("a", Spec with { Device = DeviceName.Cuda });
        var id = await SubmitAsync("b");

        Assert.Equal(id, (await ClaimAsync()).Id);
        Assert.Null(await Queue.ClaimAsync(Worker.Id, hasCuda: false, default));
        Assert.NotNull(await Queue.ClaimAsync(Worker.Id, hasCuda: true, default));
    }

    [Fact]
    public async Task Claim_ManyAtOnce_DoNotExceedWhatMayRun()
    {
        await Tenants.SetAsync("a", new() { MaxRunning = 3 }, default);
        await QueueAsync("a", 20);
        await QueueAsync("b", 2);

        var claimed = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Queue.ClaimAsync(Worker.Id, hasCuda: false, default)));
        while (await Queue.ClaimAsync(Worker.Id, hasCuda: false, default) is { } more)
            claimed = [.. claimed, more];

        Assert.Equal(5, claimed.Count(job => job is not null));
        Assert.Equal((17, 3), await CountsAsync("a"));
        Assert.Equal((0, 2), await CountsAsync("b"));
        await Tenants.SetAsync("a", new() { MaxRunning = 4 }, default);
        Assert.NotNull(await Queue.ClaimAsync(Worker.Id, hasCuda: false, default));
    }

    [Fact]
    public async Task Claim_WhileAnotherTakesTheTurnOfALimitedTenant_WaitsOnlyForAJobThatItCanRun()
    {
        await Tenants.SetAsync("a", new() { MaxRunning = 1 }, default);
        await SubmitAsync("a", Spec with { Device = DeviceName.Cuda });
        var (first, second) = (await SubmitAsync("b"), await SubmitAsync("b"));
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var turn = new NpgsqlCommand("SELECT take_turn('a')", connection);
        await turn.ExecuteNonQueryAsync();

        Assert.Equal(first, (await ClaimAsync()).Id);
        var id = await SubmitAsync("a");
        var claim = ClaimAsync();
        await UntilOneWaitsAsync();
        await Queue.HeartbeatAsync(Worker, [], null, default); // the claim's lock on the worker's row lets it pass
        Assert.False(claim.IsCompleted);
        await transaction.CommitAsync();

        Assert.Equal(id, (await claim).Id);
        Assert.Equal(second, (await ClaimAsync()).Id);
    }

    [Fact]
    public async Task Claim_AfterTheSecondsOfTheMonth_IsForOtherTenantsAndTheJobTellsWhy()
    {
        await Tenants.SetAsync("a", new() { MaxDeviceSecondsPerMonth = 60 }, default);
        var (first, waiting) = (await SubmitAsync("a"), await SubmitAsync("a"));
        var job = await ClaimAsync();
        Assert.Equal(first, job.Id);
        var reader = new JobReader(Database.DataSource);
        Assert.Null((await reader.FindAsync(waiting))!.Value.Job.Reason);
        var before = (await reader.FindAsync(waiting))!.Value.Version;
        await Database.ExecuteAsync($"UPDATE jobs SET claimed_at = now() - interval '61 seconds' WHERE id = '{first}'");

        // The running attempt counts, and so does the ended one when its job is gone.
        Assert.Null(await Queue.ClaimAsync(Worker.Id, hasCuda: false, default));
        await SucceedAsync(job);
        Assert.True(await Queue.DeleteAsync(first, default));
        Assert.Null(await Queue.ClaimAsync(Worker.Id, hasCuda: false, default));
        Assert.InRange((await Tenants.FindAsync("a", default)).DeviceSecondsThisMonth, 61, 120);
        var (shown, version) = (await reader.FindAsync(waiting))!.Value;
        Assert.Equal("waits for the next month: its tenant has used its 60 device seconds of this month", shown.Reason);
        Assert.NotEqual(before, version);
        Assert.NotEqual(before, (await reader.VersionsAsync([waiting]))[waiting].Job);
        var other = await SubmitAsync("b");
        Assert.Equal(other, (await ClaimAsync()).Id);

        await Database.ExecuteAsync("UPDATE tenant_usage SET month = (month - interval '1 month')::date");
        Assert.Equal(waiting, (await ClaimAsync()).Id);
    }

    [Fact]
    public async Task Submit_ManyAtOnce_DoNotExceedWhatMayBeQueued()
    {
        await Tenants.SetAsync("a", new() { MaxQueued = 5 }, default);

        var stored = await Task.WhenAll(
            Enumerable.Range(0, 12).Select(i => IsWithinQuotaAsync(() => i % 4 == 0 ? SubmitStudyAsync("a") : SubmitAsync("a")))
        );

        Assert.Contains(false, stored);
        var (queued, _) = await CountsAsync("a");
        Assert.InRange(queued, 3, 5);
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>(
                "SELECT count(*) FROM studies WHERE (SELECT count(*) FROM jobs WHERE study_id = studies.id) <> 3"
            )
        );
        while (await IsWithinQuotaAsync(() => SubmitAsync("a"))) { }
        Assert.Equal((5, 0), await CountsAsync("a"));
        Assert.True(await IsWithinQuotaAsync(() => SubmitAsync("b")));
        await Tenants.SetAsync("a", new() { MaxQueued = int.MaxValue }, default);
        Assert.True(await IsWithinQuotaAsync(() => SubmitAsync("a")));
    }

    [Fact]
    public async Task Verb_ThatQueues_IsWithinTheQuota()
    {
        var studies = new StudyQueue(Database.DataSource);
        var study = await SubmitStudyAsync("a");
        await studies.CancelAsync(study, default);
        var paused = await SubmitAsync("a");
        Assert.True(await Queue.PauseAsync(paused, default));
        var failed = await SubmitAsync("a");
        await Queue.FailAsync(await ClaimAsync(), "test", default);
        await Tenants.SetAsync("a", new() { MaxQueued = 0 }, default);

        Assert.False(await IsWithinQuotaAsync(() => Queue.ResumeAsync(paused, default)));
        Assert.False(await IsWithinQuotaAsync(() => Queue.RetryAsync(failed, fresh: true, default)));
        Assert.False(await IsWithinQuotaAsync(() => studies.ExtendAsync(study, spec => spec with { Seeds = [0, 1, 2, 3] }, default)));
        await Database.ExecuteAsync($"UPDATE jobs SET state = 'failed' WHERE study_id = '{study}'");
        Assert.False(await IsWithinQuotaAsync(() => Nothing(studies.RetryAsync(study, default))));
        Assert.Equal((0, 0), await CountsAsync("a"));
        Assert.Equal(3, await Database.ScalarAsync<long>($"SELECT count(*) FROM jobs WHERE study_id = '{study}' AND state = 'failed'"));

        await Tenants.SetAsync("a", new() { MaxQueued = 3 }, default);
        Assert.True(await IsWithinQuotaAsync(() => Nothing(studies.RetryAsync(study, default))));
        Assert.False(await IsWithinQuotaAsync(() => Queue.ResumeAsync(paused, default)));
        // An extension that queues nothing is not refused, nor is a job that comes back to the queue by itself.
        await Tenants.SetAsync("a", new() { MaxQueued = 1 }, default);
        Assert.True(await IsWithinQuotaAsync(() => studies.ExtendAsync(study, spec => spec with { Budget = null }, default)));
        Assert.True(await Queue.HandBackAsync(await ClaimAsync(), "test", default));
        Assert.Equal((3, 0), await CountsAsync("a"));

        static async Task<bool> Nothing(Task task)
        {
            await task;
            return true;
        }
    }

    [Fact]
    public async Task Load_OfMoreTenantsThanAreToldApart_CountsTheRestTogether()
    {
        for (var tenant = 0; tenant < QueueLoad.MostTenants + 2; tenant++)
            await QueueAsync($"t{tenant:000}", tenant == 101 ? 2 : 1);
        await Database.ExecuteAsync("UPDATE jobs SET run_at = run_at - interval '1 hour' WHERE tenant = 't100'");

        var jobs = Queue.ReadLoad().Jobs;

        Assert.Equal(QueueLoad.MostTenants + 1, jobs.Count);
        Assert.Equal(2, jobs.Single(load => load.Tenant == "t101").Jobs);
        Assert.DoesNotContain(jobs, load => load.Tenant is "t099" or "t100");
        var rest = jobs.Single(load => load.Tenant == QueueLoad.OtherTenants);
        Assert.Equal(2, rest.Jobs);
        Assert.InRange(rest.OldestSeconds, 3600, 7200);
    }

    private static async Task<bool> IsWithinQuotaAsync<T>(Func<Task<T>> queue)
    {
        try
        {
            await queue();
            return true;
        }
        catch (Exception e) when ((e as PostgresException ?? e.InnerException as PostgresException)?.SqlState == TenantStore.QuotaReached)
        {
            return false;
        }
    }

    private async Task<Guid> SubmitAsync(string tenant, JobSpec? spec = null)
    {
        await using var db = Db();
        return (await JobQueue.SubmitAsync(db, tenant, spec ?? Spec, default)).Id;
    }

    private async Task<Guid> SubmitStudyAsync(string tenant) =>
        (await new StudyQueue(Database.DataSource).SubmitAsync(tenant, ThreeJobs, null, default)).Id;

    /// <summary>Queues many jobs at once.</summary>
    private async Task QueueAsync(string tenant, int jobs, int priority = 0)
    {
        var one = await SubmitAsync(tenant, Spec with { Priority = priority });
        await Database.ExecuteAsync(
            $"""
            INSERT INTO jobs (id, tenant, spec, state, attempt, failures)
            SELECT gen_random_uuid(), tenant, spec, state, 0, 0 FROM jobs, generate_series(2, {jobs}) WHERE id = '{one}'
            """
        );
    }

    private async Task SucceedAsync(ClaimedJob job) => Assert.True(await Queue.SucceedAsync(job, Result, Model, default));

    private Task<string> TenantOfAsync(Guid job) => Database.ScalarAsync<string>($"SELECT tenant FROM jobs WHERE id = '{job}'");

    private async Task<(int Queued, int Running)> CountsAsync(string tenant) =>
        await Tenants.FindAsync(tenant, default) is var state ? (state.Queued, state.Running) : default;
}
