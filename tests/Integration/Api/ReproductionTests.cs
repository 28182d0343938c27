using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Temper.Domain.Jobs;

namespace Temper.Integration.Api;

public class ReproductionTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "aa", [], "dd", "bb");

    [Fact]
    public async Task Reproduce_AJobThatHasSucceeded_QueuesItsSpecAndComparesWhatComesOut()
    {
        var original = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.25,
                epochs = 3,
                seed = 7,
                tags = new[] { "a" },
            }
        );
        await FinishAsync(Result);

        var (response, repeated) = await SendAsync(HttpMethod.Post, $"/jobs/{original}/reproduce");

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal(response.Headers.Location!.OriginalString, repeated!["links"]!["self"]!.GetValue<string>());
        Assert.Equal(original, repeated["reproduces"]!.GetValue<Guid>());
        Assert.True(JsonNode.DeepEquals((await Api.JobAsync(original))["spec"], repeated["spec"]));
        var id = repeated["id"]!.GetValue<Guid>();
        await AssertConflictAsync(HttpMethod.Get, $"/jobs/{id}/reproduction", "queued");

        await FinishAsync(Result with { WeightsSha256 = "ab", Threads = 4, TestAccuracy = 0.991 });

        var comparison = await Api.GetAsync($"/jobs/{id}/reproduction");
        Assert.Equal("withinTolerance", comparison["verdict"]!.GetValue<string>());
        Assert.Equal(original, comparison["original"]!.GetValue<Guid>());
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""[{"name":"threads","was":"2","is":"4"}]"""), comparison["changed"]));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""{"name":"testAccuracy","was":0.99,"is":0.991}"""), comparison["figures"]![0]));
    }

    [Fact]
    public async Task Reproduce_SentAgainWithItsKey_IsTheSameJob()
    {
        var original = await Api.SubmitAsync(Spec);
        await FinishAsync(Result);
        var another = await Api.SubmitAsync(Spec);
        await FinishAsync(Result);

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => PostAsync($"/jobs/{original}/reproduce", "key")));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Accepted, answer.Status));
        Assert.Single(answers.Select(answer => answer.Body["id"]!.GetValue<Guid>()).Distinct());
        Assert.Equal(original, answers[0].Body["reproduces"]!.GetValue<Guid>());
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PostAsync($"/jobs/{another}/reproduce", "key")).Status);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await PostAsync("/jobs", "key")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await PostAsync($"/jobs/{original}/reproduce", "two words")).Status);
        Assert.Equal(3, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));

        async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(string path, string key)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(Spec) };
            request.Headers.Add("Idempotency-Key", key);
            var response = await Http.SendAsync(request);
            return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
        }
    }

    [Fact]
    public async Task Reproduce_WhatHasNoResult_Is409()
    {
        var id = await Api.SubmitAsync(Spec);
        await AssertConflictAsync(HttpMethod.Post, $"/jobs/{id}/reproduce", "queued");
        await AssertConflictAsync(HttpMethod.Get, $"/jobs/{id}/reproduction", "repeats no other");

        await Queue.FailAsync(await ClaimAsync(), "test", default);
        await AssertConflictAsync(HttpMethod.Post, $"/jobs/{id}/reproduce", "failed");
    }

    [Fact]
    public async Task Reproduction_WhenTheOriginalIsDeleted_LeavesTheRepetitionAndSaysSo()
    {
        var original = await Api.SubmitAsync(Spec);
        await FinishAsync(Result);
        var id = (await SendAsync(HttpMethod.Post, $"/jobs/{original}/reproduce")).Body!["id"]!.GetValue<Guid>();
        await FinishAsync(Result);

        Assert.Equal(HttpStatusCode.NoContent, (await Http.DeleteAsync($"/jobs/{original}")).StatusCode);

        Assert.Null((await Api.JobAsync(id))["reproduces"]);
        await AssertConflictAsync(HttpMethod.Get, $"/jobs/{id}/reproduction", "repeats no other");
    }

    [Theory]
    [InlineData("POST", "reproduce")]
    [InlineData("GET", "reproduction")]
    public async Task Request_ForAJobThatDoesNotExist_Is404(string method, string what)
    {
        var (response, problem) = await SendAsync(new(method), $"/jobs/{Guid.NewGuid()}/{what}");

        AssertProblem(HttpStatusCode.NotFound, response, problem);
    }

    private async Task FinishAsync(JobResult result)
    {
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics], null, default);
        Assert.True(await Queue.SucceedAsync(job, result, new([1, 2, 3], null), default));
    }

    private async Task AssertConflictAsync(HttpMethod method, string path, string titled)
    {
        var (response, problem) = await SendAsync(method, path);
        AssertProblem(HttpStatusCode.Conflict, response, problem);
        Assert.Contains(titled, problem!["title"]!.GetValue<string>());
    }
}
