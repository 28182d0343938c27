using Temper.Domain.Jobs;
using Temper.Integration.Store.Queue;
using Temper.Store.Queue;

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
