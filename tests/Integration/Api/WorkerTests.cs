using System.Net;
using System.Text.Json.Nodes;
using Temper.Domain.Workers;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

public class WorkerTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    [Fact]
    public async Task List_OfAWorkerWithCards_ShowsThemAsItsHeartbeatTold()
    {
        var worker = WorkerIdentity.Create("cuda", 3);
        var busy = new WorkerDevice(0, "GPU-a", "NVIDIA H100 80GB HBM3", 81559, 70000, 98, 2, 1, null);
        var broken = new WorkerDevice(1, "GPU-b", "NVIDIA H100 80GB HBM3", 81559, null, null, 1, 0, "no kernel image");
        await Queue.HeartbeatAsync(worker, [], null, default, devices: [busy]);
        await Queue.HeartbeatAsync(worker, [], null, default, devices: [busy, broken]);
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 1), [], null, default);

        var workers = (await Api.GetAsync("/workers"))["items"]!.AsArray();

        Assert.Equal(
            """[{"index":0,"uuid":"GPU-a","name":"NVIDIA H100 80GB HBM3","memoryTotalMiB":81559,"memoryUsedMiB":70000,"""
                + """ "utilizationPercent":98,"slots":2,"busySlots":1,"setAsideReason":null},""".TrimStart()
                + """{"index":1,"uuid":"GPU-b","name":"NVIDIA H100 80GB HBM3","memoryTotalMiB":81559,"memoryUsedMiB":null,"""
                + """ "utilizationPercent":null,"slots":1,"busySlots":0,"setAsideReason":"no kernel image"}]""".TrimStart(),
            workers[0]!["devices"]!.ToJsonString()
        );
        Assert.Empty(workers[1]!["devices"]!.AsArray());
    }

    [Fact]
    public async Task Drain_AndResume_AreIdempotentAndShowTheState()
    {
        await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        var id = await Database.ScalarAsync<Guid>("SELECT id FROM workers");

        Assert.Equal("draining", await StateAfterAsync($"/workers/{id}/drain"));
        Assert.Equal("draining", await StateAfterAsync($"/workers/{id}/drain"));
        Assert.True(await Queue.FailAsync(job, "test", default));
        Assert.Equal("drained", await StateAfterAsync($"/workers/{id}/drain"));
        Assert.Equal("drained", State((await Api.GetAsync("/workers"))["items"]![0]!));
        Assert.Equal("alive", await StateAfterAsync($"/workers/{id}/resume"));
        Assert.Equal("alive", await StateAfterAsync($"/workers/{id}/resume"));
    }

    [Theory]
    [InlineData("drain")]
    [InlineData("resume")]
    public async Task Verb_OfAWorkerThatIsNotThere_Is404(string verb)
    {
        var (response, problem) = await SendAsync(HttpMethod.Post, $"/workers/{Guid.NewGuid()}/{verb}");

        AssertProblem(HttpStatusCode.NotFound, response, problem);
    }

    [Fact]
    public async Task Submit_ForCudaWhenItsOnlyWorkerIsDrained_WarnsThatTheJobWaits()
    {
        var worker = WorkerIdentity.Create("cuda", 1);
        await Queue.HeartbeatAsync(worker, [], null, default);
        var spec = """{"dataset":"mnist","epsilon":0.1,"epochs":3,"device":"cuda"}""";
        Assert.DoesNotContain("CUDA", (await SendAsync(HttpMethod.Post, "/jobs", spec)).Body!["advice"]!.ToJsonString());

        await StateAfterAsync($"/workers/{worker.Id}/drain");

        Assert.Contains("CUDA", (await SendAsync(HttpMethod.Post, "/jobs", spec)).Body!["advice"]!.ToJsonString());
    }

    private async Task<string> StateAfterAsync(string path)
    {
        var (response, worker) = await SendAsync(HttpMethod.Post, path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return State(worker!);
    }

    private static string State(JsonNode worker) => worker["state"]!.GetValue<string>();
}
