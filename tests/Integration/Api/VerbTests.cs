using System.Net;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

public class VerbTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    [Fact]
    public async Task PauseAndResume_AQueuedJob_AreDoneAtOnceAndAgain()
    {
        var id = await Api.SubmitAsync(Spec);

        for (var i = 0; i < 2; i++)
            await AssertIsAsync(HttpStatusCode.OK, "paused", $"/jobs/{id}/pause");
        Assert.False((await Api.JobAsync(id))["isTerminal"]!.GetValue<bool>());
        for (var i = 0; i < 2; i++)
            await AssertIsAsync(HttpStatusCode.OK, "queued", $"/jobs/{id}/resume");
    }

    [Fact]
    public async Task PinAndUnpin_AJobAndAStudy_ShowInBothAndCanBeRepeated()
    {
        var id = await Api.SubmitAsync(Spec);
        var (_, study) = await SendAsync(HttpMethod.Post, "/studies", """{"job":{"dataset":"digits","epochs":1},"seeds":1}""");

        foreach (var path in new[] { $"/jobs/{id}", $"/studies/{study!["id"]}" })
        {
            Assert.False((await Api.GetAsync(path))["pinned"]!.GetValue<bool>());
            foreach (var (verb, pinned) in new[] { ("pin", true), ("pin", true), ("unpin", false), ("unpin", false) })
            {
                var (response, body) = await SendAsync(HttpMethod.Post, $"{path}/{verb}");
                Assert.Equal((HttpStatusCode.OK, pinned), (response.StatusCode, body!["pinned"]!.GetValue<bool>()));
                Assert.Equal(pinned, (await Api.GetAsync(path))["pinned"]!.GetValue<bool>());
            }
        }
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Post, $"/jobs/{Guid.NewGuid()}/pin")).Response.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Post, $"/studies/{Guid.NewGuid()}/pin")).Response.StatusCode);
    }

    [Fact]
    public async Task Pause_ARunningJob_ShowsAsPausingUntilItsWorkerHasStopped()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();

        for (var i = 0; i < 2; i++)
            await AssertIsAsync(HttpStatusCode.Accepted, "pausing", $"/jobs/{id}/pause");
        Assert.Equal([id], (await Api.GetAsync("/jobs?state=pausing"))["items"]!.AsArray().Select(job => job!["id"]!.GetValue<Guid>()));
        await Queue.HandBackAsync(claimed, "test", default);

        Assert.Equal("paused", (await Api.JobAsync(id))["state"]!.GetValue<string>());
        Assert.Equal([id], (await Api.GetAsync("/jobs?state=paused"))["items"]!.AsArray().Select(job => job!["id"]!.GetValue<Guid>()));
    }

    [Fact]
    public async Task Resume_WhilePausing_WithdrawsThePause()
    {
        var id = await Api.SubmitAsync(Spec);
        await ClaimAsync();
        await SendAsync(HttpMethod.Post, $"/jobs/{id}/pause");

        await AssertIsAsync(HttpStatusCode.OK, "running", $"/jobs/{id}/resume");
    }

    [Fact]
    public async Task Cancel_WhilePausing_CancelsIt()
    {
        var id = await Api.SubmitAsync(Spec);
        await ClaimAsync();
        await SendAsync(HttpMethod.Post, $"/jobs/{id}/pause");

        await AssertIsAsync(HttpStatusCode.Accepted, "cancelling", $"/jobs/{id}/cancel");
        await AssertConflictAsync($"/jobs/{id}/pause", "The job is cancelling.", "pause is for a job that is queued or running");
    }

    [Theory]
    [InlineData("")]
    [InlineData("?fresh=true")]
    [InlineData("?fresh=false")]
    public async Task Retry_AFailedJob_QueuesItAgainAndAgainIsHarmless(string query)
    {
        var id = await Api.SubmitAsync(Spec);
        await Queue.FailAsync(await ClaimAsync(), "test", default);

        for (var i = 0; i < 2; i++)
            await AssertIsAsync(HttpStatusCode.OK, "queued", $"/jobs/{id}/retry{query}");

        var job = await Api.JobAsync(id);
        Assert.Null(job["finishedAt"]);
        Assert.Equal((1, 0), (job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Retry_WrongQuery_Is400AndChangesNothing()
    {
        var id = await Api.SubmitAsync(Spec);
        await Queue.FailAsync(await ClaimAsync(), "test", default);

        var (response, problem) = await SendAsync(HttpMethod.Post, $"/jobs/{id}/retry?fresh=yes&from=start");

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal(["fresh", "from"], problem!["errors"]!.AsObject().Select(error => error.Key).Order());
        Assert.Equal("failed", (await Api.JobAsync(id))["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Verb_InAStateThatDoesNotAllowIt_Is409AndSaysWhichDo()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();
        await AssertConflictAsync(
            $"/jobs/{id}",
            "The job is running.",
            "delete is for a job that is queued or paused or succeeded or failed or cancelled",
            HttpMethod.Delete
        );

        await Queue.SucceedAsync(claimed, new(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "00", []), new([1], null), default);

        await AssertConflictAsync($"/jobs/{id}/pause", "The job is succeeded.", "pause is for a job that is queued or running");
        await AssertConflictAsync($"/jobs/{id}/resume", "The job is succeeded.", "resume is for a job that is paused");
        await AssertConflictAsync($"/jobs/{id}/retry", "The job is succeeded.", "retry is for a job that is failed or cancelled");
        await AssertConflictAsync($"/jobs/{id}/cancel", "The job is succeeded.", "cancel is for a job that is queued or running or paused");
    }

    [Fact]
    public async Task Delete_AJobThatIsOver_IsGoneWithAllItLeft()
    {
        var id = await Api.SubmitAsync(Spec);
        await SendAsync(HttpMethod.Post, $"/jobs/{id}/cancel");

        Assert.Equal(HttpStatusCode.NoContent, (await Http.DeleteAsync($"/jobs/{id}")).StatusCode);

        foreach (var path in new[] { "", "/metrics", "/attempts" })
            Assert.Equal(HttpStatusCode.NotFound, (await Http.GetAsync($"/jobs/{id}{path}")).StatusCode);
        var (again, problem) = await SendAsync(HttpMethod.Delete, $"/jobs/{id}");
        AssertProblem(HttpStatusCode.NotFound, again, problem);
    }

    [Fact]
    public async Task Attempts_OfAJobThatCrashedAndRunsAgain_TellTheWholeStory()
    {
        var id = await Api.SubmitAsync(Spec);
        Assert.Empty((await Api.GetAsync($"/jobs/{id}/attempts"))["items"]!.AsArray());
        var first = await ClaimAsync();
        await Queue.ReportTrainingStartedAsync(first, null, default);
        await Queue.GiveBackAsync(first, "The runner was ended by signal 11.", "Segmentation fault", default);
        await Database.ExecuteAsync("UPDATE jobs SET run_at = clock_timestamp()");
        await Queue.ReportTrainingStartedAsync(await ClaimAsync(), "It began anew.", default);

        var attempts = (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]!.AsArray();

        Assert.Equal([1, 2], attempts.Select(attempt => attempt!["attempt"]!.GetValue<int>()));
        Assert.Equal(
            ("failed", "The runner was ended by signal 11.", "Segmentation fault"),
            (Text(attempts[0]!["outcome"]), Text(attempts[0]!["reason"]), Text(attempts[0]!["errorOutput"]))
        );
        Assert.NotNull(attempts[0]!["endedAt"]);
        Assert.NotNull(attempts[0]!["trainingStartedAt"]);
        Assert.Null(attempts[1]!["outcome"]);
        Assert.Null(attempts[1]!["endedAt"]);
        Assert.Null(attempts[0]!["note"]);
        Assert.Equal("It began anew.", Text(attempts[1]!["note"]));
        Assert.All(attempts, attempt => Assert.NotEmpty(Text(attempt!["worker"])));
    }

    private static string Text(JsonNode? node) => node!.GetValue<string>();

    private async Task AssertIsAsync(HttpStatusCode status, string state, string path)
    {
        var (response, job) = await SendAsync(HttpMethod.Post, path);
        Assert.Equal(status, response.StatusCode);
        Assert.Equal(state, job!["state"]!.GetValue<string>());
    }

    private async Task AssertConflictAsync(string path, string title, string allowed, HttpMethod? method = null)
    {
        var (response, problem) = await SendAsync(method ?? HttpMethod.Post, path);
        AssertProblem(HttpStatusCode.Conflict, response, problem);
        Assert.Equal(title, problem!["title"]!.GetValue<string>());
        Assert.Contains(allowed, problem["detail"]!.GetValue<string>());
    }

    /// <summary>The first try breaks at the lookup of the owner, so it cannot have deleted anything.</summary>
    [Fact]
    public async Task Delete_OfAnUnknownJobOnABrokenConnection_Is404()
    {
        for (var i = 0; i < 3; i++)
        {
            await Http.GetAsync($"/jobs/{Guid.NewGuid()}");
            await Database.ScalarAsync<long>(
                """
                SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'SELECT id, tenant FROM jobs WHERE id = ANY%'
                """
            );

            var (response, problem) = await SendAsync(HttpMethod.Delete, $"/jobs/{Guid.NewGuid()}");

            AssertProblem(HttpStatusCode.NotFound, response, problem);
        }
    }
}
