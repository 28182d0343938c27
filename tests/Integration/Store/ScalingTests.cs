using Temper.Domain.Jobs;
using Temper.Integration.Store.Queue;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Integration.Store;

/// <summary>The statements by which KEDA sets the number of workers, as deploy/kubernetes has them.</summary>
public sealed class ScalingTests : QueueTest
{
    [Fact]
    public async Task Queries_OfWaitingAndRunningJobs_CountTheSlotsOfUse()
    {
        var gpu = WorkerIdentity.Create("cuda", 1);
        await Queue.HeartbeatAsync(gpu, [], null, default);
        Assert.Equal((0, 0), await SlotsAsync());

        foreach (
            var device in new[] { DeviceName.Auto, DeviceName.Cpu, DeviceName.Cuda, DeviceName.Cuda, DeviceName.Cuda, DeviceName.Auto }
        )
            await SubmitAsync(Spec with { Device = device });
        Assert.Equal((3, 3), await SlotsAsync());

        await ClaimAsync(); // the first one: auto
        Assert.NotNull(await Queue.ClaimAsync(gpu.Id, hasCuda: true, default)); // the second one: cpu
        Assert.Equal((2, 4), await SlotsAsync());

        await Database.ExecuteAsync("UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour' WHERE state = 'queued'");
        Assert.Equal((1, 1), await SlotsAsync());
    }

    [Fact]
    public async Task Queries_OfTenantsWithQuotas_CountTheJobsThatMayRun()
    {
        await QueueAsync("stopped", 16);
        await QueueAsync("bounded", 5);
        await QueueAsync("used-up", 16);
        await QueueAsync("free", 2);
        Assert.Equal((39, 0), await SlotsAsync());

        var tenants = new TenantStore(Database.DataSource, Database.DataSource);
        await tenants.SetAsync("stopped", new() { MaxRunning = 0 }, default);
        await tenants.SetAsync("bounded", new() { MaxRunning = 3 }, default);
        await tenants.SetAsync("used-up", new() { MaxDeviceSecondsPerMonth = 0 }, default);
        await tenants.SetAsync("free", new() { MaxQueued = 2 }, default);
        Assert.Equal((5, 0), await SlotsAsync());

        await ClaimAsync();
        await ClaimAsync();
        await ClaimAsync();
        Assert.Equal((5, 0), await SlotsAsync()); // three run, two more may
        await Database.ExecuteAsync("UPDATE workers SET draining = true");
        Assert.Equal((5, 0), await SlotsAsync());

        await tenants.SetAsync("bounded", new() { MaxRunning = 1 }, default);
        await tenants.SetAsync("free", new() { MaxRunning = 0 }, default);
        Assert.Equal((3, 0), await SlotsAsync());
    }

    [Fact]
    public async Task Queries_OfJobsThatNoWorkerKnows_CountThemWhenThereIsNoWorker()
    {
        await QueueAsync("a", 2);
        await Database.ExecuteAsync("UPDATE jobs SET spec_revision = 9 WHERE id = (SELECT id FROM jobs LIMIT 1)");
        Assert.Equal((1, 0), await SlotsAsync());

        await Database.ExecuteAsync("UPDATE workers SET heartbeat_at = clock_timestamp() - interval '1 hour'");
        Assert.Equal((2, 0), await SlotsAsync());
    }

    private async Task QueueAsync(string tenant, int jobs)
    {
        await using var db = Db();
        for (var i = 0; i < jobs; i++)
            await JobQueue.SubmitAsync(db, tenant, Spec, default);
    }

    private async Task<(long Cpu, long Gpu)> SlotsAsync() =>
        (await Database.ScalarAsync<long>(QueryOf("worker")), await Database.ScalarAsync<long>(QueryOf("worker-gpu")));

    private static string QueryOf(string deployment)
    {
        var scaled = YamlFile
            .Read("deploy", "kubernetes", "scaling.yaml")
            .Single(node => (string?)node["kind"] == "ScaledObject" && (string?)node["spec"]!["scaleTargetRef"]!["name"] == deployment);
        var trigger = scaled["spec"]!["triggers"]![0]!;
        Assert.Equal("postgresql", (string?)trigger["type"]);
        return (string)trigger["metadata"]!["query"]!;
    }
}
