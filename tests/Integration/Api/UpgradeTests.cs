using System.Net;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

/// <summary>An API of this build beside a newer build on one database.</summary>
public class UpgradeTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const int Later = SpecRevision.Known + 1;

    [Fact]
    public async Task Find_AJobOfALaterRevision_SaysWhichWorkersItWaitsFor()
    {
        var (id, old) = (await SubmitAsync(), await SubmitAsync());
        await Database.ExecuteAsync($"UPDATE jobs SET spec = spec || '{{\"mood\":\"blue\"}}', spec_revision = {Later} WHERE id = '{id}'");
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 1), [], null, default);

        var job = await Api.JobAsync(id);
        var tag = (await Http.GetAsync($"/jobs/{id}")).Headers.ETag!.ToString();

        Assert.Equal(("queued", Later), (job["state"]!.GetValue<string>(), job["specRevision"]!.GetValue<int>()));
        Assert.Equal(
            $"It waits for a worker of a newer build: no living worker knows revision {Later} of the spec format.",
            job["reason"]!.GetValue<string>()
        );
        var listed = (await Api.GetAsync("/jobs"))["items"]!.AsArray();
        Assert.Equal([null, job["reason"]!.GetValue<string>()], listed.Select(one => one!["reason"]?.GetValue<string>()));
        Assert.Equal(1, (await Api.JobAsync(old))["specRevision"]!.GetValue<int>());
        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync($"/jobs/{id}", tag)).StatusCode);

        await new JobQueue(Database.DataSource) { KnownRevision = Later }.HeartbeatAsync(
            WorkerIdentity.Create("cpu", 1),
            [],
            null,
            default
        );

        Assert.Equal(HttpStatusCode.OK, (await AskAsync($"/jobs/{id}", tag)).StatusCode);
        Assert.Null((await Api.JobAsync(id))["reason"]);
        Assert.Equal(
            [SpecRevision.Known, Later],
            (await Api.GetAsync("/workers"))["items"]!.AsArray().Select(worker => worker!["specRevision"]!.GetValue<int>())
        );
    }

    [Theory]
    [InlineData("model", "transformer")]
    [InlineData("dataset", "imagenet")]
    public async Task Find_AJobThatThisBuildCannotRead_Is503AndTheListNamesIt(string field, string value)
    {
        var (id, other) = (await SubmitAsync(), await SubmitAsync());
        await Database.ExecuteAsync($"UPDATE jobs SET spec = jsonb_set(spec, '{{{field}}}', '\"{value}\"') WHERE id = '{id}'");

        foreach (var (method, path) in new[] { (HttpMethod.Get, ""), (HttpMethod.Post, "/cancel") })
        {
            var (response, body) = await SendAsync(method, $"/jobs/{id}{path}");
            AssertProblem(HttpStatusCode.ServiceUnavailable, response, body);
            Assert.NotNull(response.Headers.RetryAfter);
            Assert.Contains("This build cannot", body!["detail"]!.GetValue<string>());
        }
        var page = await Api.GetAsync("/jobs");
        Assert.Equal([other], page["items"]!.AsArray().Select(job => job!["id"]!.GetValue<Guid>()));
        Assert.Contains(id.ToString(), page["note"]!.GetValue<string>());
    }

    [Fact]
    public async Task ReproduceAndExtend_WhatHasALaterRevision_Are503AndStoreNothing()
    {
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":1,"epsilon":0},"epsilons":[0,0.1],"seeds":1}"""
        );
        var job = await ClaimAsync();
        await Queue.SucceedAsync(job, new(0.9, 0.3, 0.04, 0.02, 3, "cpu", 2, "libtorch", "aa", []), new([1], null), default);
        await Database.ExecuteAsync($"UPDATE jobs SET spec_revision = {Later}");

        var reproduced = await SendAsync(HttpMethod.Post, $"/jobs/{job.Id}/reproduce");
        var extended = await SendAsync(HttpMethod.Post, $"/studies/{study!["id"]}/extend", """{"epsilons":[0.2]}""");

        foreach (var (response, body) in new[] { reproduced, extended })
        {
            AssertProblem(HttpStatusCode.ServiceUnavailable, response, body);
            Assert.Contains("newer build", body!["detail"]!.GetValue<string>());
        }
        Assert.Equal(2, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
    }

    private async Task<Guid> SubmitAsync() => await Api.SubmitAsync(Spec);
}
