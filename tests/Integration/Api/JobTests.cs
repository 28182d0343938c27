using System.Net;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

public class JobTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    [Fact]
    public async Task Get_ThroughAJobsLife_ShowsWhereItStands()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();
        await Queue.ReportTrainingStartedAsync(claimed, null, default);

        var running = await Api.JobAsync(id);
        Assert.Equal("running", running["state"]!.GetValue<string>());
        Assert.Equal(1, running["attempt"]!.GetValue<int>());
        Assert.NotNull(running["worker"]);
        Assert.NotNull(running["trainingStartedAt"]);
        Assert.Null(running["result"]);

        await Queue.SucceedAsync(
            claimed,
            new(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "00", ["a note"]),
            new([1, 2, 3], null),
            default
        );

        var done = await Api.JobAsync(id);
        Assert.Equal("succeeded", done["state"]!.GetValue<string>());
        Assert.True(done["isTerminal"]!.GetValue<bool>());
        Assert.Null(done["worker"]);
        Assert.NotNull(done["finishedAt"]);
        Assert.Equal(0.99, done["result"]!["testAccuracy"]!.GetValue<double>());
        Assert.Equal(0.04, done["result"]!["testLoss"]!.GetValue<double>());
        Assert.Equal(0.01, done["result"]!["testEce"]!.GetValue<double>());
        Assert.Equal(-0.005, done["result"]!["testSignedGap"]!.GetValue<double>());
        Assert.Equal(3, done["result"]!["trainedEpochs"]!.GetValue<int>());
    }

    [Theory]
    [InlineData("GET", "/jobs/01890000-0000-7000-8000-000000000000")]
    [InlineData("GET", "/jobs/01890000-0000-7000-8000-000000000000/metrics")]
    [InlineData("POST", "/jobs/01890000-0000-7000-8000-000000000000/cancel")]
    [InlineData("GET", "/jobs/7")]
    [InlineData("GET", "/jobs/not-an-id/metrics")]
    [InlineData("GET", "/nowhere")]
    public async Task Request_OfWhatDoesNotExist_Is404WithAProblem(string method, string path)
    {
        var (response, problem) = await SendAsync(new(method), path);

        AssertProblem(HttpStatusCode.NotFound, response, problem);
    }

    [Fact]
    public async Task Request_WithAnotherMethod_Is405WithAProblem()
    {
        var (response, problem) = await SendAsync(HttpMethod.Put, "/jobs", "{}");

        AssertProblem(HttpStatusCode.MethodNotAllowed, response, problem);
    }

    [Fact]
    public async Task Metrics_WhileTheJobTrains_GrowByARowAnEpoch()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();
        Assert.Empty((await Api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray());

        await Queue.ReportAsync(claimed, [Metrics with { ValidationLossAfterTemperature = 0.18 }], null, default);
        await Queue.ReportAsync(claimed, [Metrics with { Epoch = 2, TrainLoss = 0.6 }], null, default);

        var items = (await Api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray();
        var expected = JsonNode.Parse(
            """
            {"epoch":1,"trainLoss":0.7,"trainAccuracy":0.9,"validationLoss":0.2,"validationAccuracy":0.95,"ece":0.05,"signedGap":-0.03,
             "learningRate":0.001,"seconds":1.5,"imagesPerSecond":2400,"validationLossAfterTemperature":0.18}
            """
        );
        Assert.True(JsonNode.DeepEquals(expected, items[0]), items[0]!.ToJsonString());
        Assert.Equal([1, 2], items.Select(item => item!["epoch"]!.GetValue<int>()));
        Assert.Equal(
            [2],
            (await Api.GetAsync($"/jobs/{id}/metrics?since=1"))["items"]!.AsArray().Select(item => item!["epoch"]!.GetValue<int>())
        );
        var (response, problem) = await SendAsync(HttpMethod.Get, $"/jobs/{id}/metrics?since=x");
        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.NotNull(problem!["errors"]!["since"]);
    }

    [Fact]
    public async Task Cancel_AQueuedJob_IsDoneAtOnceAndAgainAndAgain()
    {
        var id = await Api.SubmitAsync(Spec);

        for (var i = 0; i < 2; i++)
        {
            var (response, job) = await SendAsync(HttpMethod.Post, $"/jobs/{id}/cancel");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal("cancelled", job!["state"]!.GetValue<string>());
        }
    }

    [Fact]
    public async Task Cancel_ARunningJob_ShowsAsCancellingUntilItsWorkerStopsIt()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();

        var (response, job) = await SendAsync(HttpMethod.Post, $"/jobs/{id}/cancel");

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("cancelling", job!["state"]!.GetValue<string>());
        Assert.False(job["isTerminal"]!.GetValue<bool>());
        await Queue.HandBackAsync(claimed, "test", default);
        Assert.Equal("cancelled", (await Api.JobAsync(id))["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Cancel_AJobThatIsOver_Is409AndSaysWhichStatesAllowIt()
    {
        var id = await Api.SubmitAsync(Spec);
        await Queue.FailAsync(await ClaimAsync(), "test", default);

        var (response, problem) = await SendAsync(HttpMethod.Post, $"/jobs/{id}/cancel");

        AssertProblem(HttpStatusCode.Conflict, response, problem);
        Assert.Contains("queued or running or paused", problem!["detail"]!.GetValue<string>());
        Assert.Equal("failed", (await Api.JobAsync(id))["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task List_ByPages_GivesEveryJobOnceNewestFirstWhileMoreArrive()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 25; i++)
            ids.Add(await Api.SubmitAsync(Spec));

        var seen = new List<Guid>();
        for (string? cursor = ""; cursor is not null; )
        {
            var page = await Api.GetAsync($"/jobs?limit=10{(cursor == "" ? "" : $"&cursor={cursor}")}");
            seen.AddRange(page["items"]!.AsArray().Select(job => job!["id"]!.GetValue<Guid>()));
            cursor = page["next"]?.GetValue<string>();
            await Api.SubmitAsync(Spec);
        }

        ids.Reverse();
        Assert.Equal(ids, seen);
    }

    [Fact]
    public async Task List_Filtered_GivesTheJobsThatMatchAllFilters()
    {
        var running = await Api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0,
                epochs = 1,
                tags = new[] { "a" },
            }
        );
        await ClaimAsync();
        var asked = await Api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0,
                epochs = 1,
                tags = new[] { "a", "b" },
            }
        );
        await ClaimAsync();
        await SendAsync(HttpMethod.Post, $"/jobs/{asked}/cancel");
        var queued = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 1,
                tags = new[] { "b" },
            }
        );

        Assert.Equal([running], await ListAsync("state=running"));
        Assert.Equal([asked], await ListAsync("state=cancelling"));
        Assert.Equal([queued], await ListAsync("state=queued"));
        Assert.Equal([asked, running], await ListAsync("dataset=mnist"));
        Assert.Equal([queued, asked], await ListAsync("tag=b"));
        Assert.Equal([asked], await ListAsync("tag=b&dataset=mnist"));
        Assert.Equal([], await ListAsync("tag=b&dataset=mnist&state=succeeded"));

        async Task<List<Guid>> ListAsync(string query) =>
            [.. (await Api.GetAsync($"/jobs?{query}"))["items"]!.AsArray().Select(job => job!["id"]!.GetValue<Guid>())];
    }

    [Fact]
    public async Task List_WrongQuery_NamesEveryWrongParameter()
    {
        var (response, problem) = await SendAsync(HttpMethod.Get, "/jobs?state=done&dataset=imagenet&limit=0&cursor=x");

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal(["cursor", "dataset", "limit", "state"], problem!["errors"]!.AsObject().Select(error => error.Key).Order());
    }

    [Theory]
    [InlineData("limit=201")]
    [InlineData("limit=1e3")]
    [InlineData("limit=-1")]
    [InlineData("state=1")]
    [InlineData("state=queued,running")]
    [InlineData("state=Queued")]
    [InlineData("tag=%00")]
    [InlineData("tag=")]
    [InlineData("cursor=99999999999999999999")]
    public async Task List_OneWrongParameter_Is400(string query)
    {
        var (response, problem) = await SendAsync(HttpMethod.Get, $"/jobs?{query}");

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
    }

    [Fact]
    public async Task Workers_OneBusyOneIdle_ShowsWhatEachRuns()
    {
        var id = await Api.SubmitAsync(Spec);
        await ClaimAsync();
        await Queue.HeartbeatAsync(Temper.Store.Queue.WorkerIdentity.Create("cuda", 4), [], null, default);
        await Database.ExecuteAsync("UPDATE workers SET heartbeat_at = heartbeat_at - interval '5 seconds' WHERE device = 'cuda'");

        var workers = (await Api.GetAsync("/workers"))["items"]!.AsArray();

        Assert.Equal(2, workers.Count);
        Assert.Equal(
            ("alive", "cpu", id),
            (workers[0]!["state"]!.GetValue<string>(), workers[0]!["device"]!.GetValue<string>(), workers[0]!["jobs"]![0]!.GetValue<Guid>())
        );
        Assert.Equal(
            ("silent", "cuda", 4),
            (workers[1]!["state"]!.GetValue<string>(), workers[1]!["device"]!.GetValue<string>(), workers[1]!["slots"]!.GetValue<int>())
        );
        Assert.Empty(workers[1]!["jobs"]!.AsArray());
    }

    [Fact]
    public async Task Datasets_AreTheOnesASpecMayName()
    {
        var datasets = (await Api.GetAsync("/datasets"))["items"]!.AsArray();

        Assert.Equal(
            ["digits", "mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100"],
            datasets.Select(card => card!["name"]!.GetValue<string>())
        );
        Assert.Equal(10, datasets[0]!["classes"]!.GetValue<int>());
        Assert.Equal(4000, datasets[0]!["trainImages"]!.GetValue<int>());
    }
}
