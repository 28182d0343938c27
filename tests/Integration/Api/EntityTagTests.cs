using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

public class EntityTagTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private readonly WorkerIdentity worker = WorkerIdentity.Create("cpu", 1);

    [Theory]
    [InlineData("")]
    [InlineData("/metrics")]
    [InlineData("/metrics?since=1")]
    public async Task Get_WhatTheClientHas_Is304WithoutABody(string route)
    {
        var path = $"/jobs/{await Api.SubmitAsync(Spec)}{route}";
        var tag = (await Http.GetAsync(path)).Headers.ETag!;

        foreach (var header in new[] { $"{tag}", $"W/{tag}", "*", $"\"other\", {tag}" })
        {
            var answer = await AskAsync(path, header);
            Assert.Equal(HttpStatusCode.NotModified, answer.StatusCode);
            Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
            Assert.Equal(tag, answer.Headers.ETag);
        }
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(path, "\"other\"")).StatusCode);
    }

    /// <summary>After a script has changed a job, no answer may tell it that nothing changed.</summary>
    [Fact]
    public async Task Get_AfterEachStepOfAJobsLife_IsNever304()
    {
        var id = await Api.SubmitAsync(Spec);
        ClaimedJob job = null!;
        var tag = (await Http.GetAsync($"/jobs/{id}")).Headers.ETag!;
        var steps = new Func<Task>[]
        {
            async () => job = await ClaimAsync(),
            () => Queue.ReportTrainingStartedAsync(job, null, default),
            () => Queue.HeartbeatAsync(worker, [new(job, new(1, 3, 10, 422, 5000, 30))], null, default),
            () => Queue.HeartbeatAsync(worker, [new(job, new(1, 3, 20, 422, 5000, 29))], null, default),
            () => Http.PostAsync($"/jobs/{id}/pause", null),
            () => Queue.HandBackAsync(job, "test", default),
            () => Http.PostAsync($"/jobs/{id}/resume", null),
            async () => job = await ClaimAsync(),
            () => Http.PostAsync($"/jobs/{id}/cancel", null),
            () => Queue.HandBackAsync(job, "test", default),
            () => Http.PostAsync($"/jobs/{id}/retry", null),
            async () => job = await ClaimAsync(),
            () => Queue.SucceedAsync(job, new(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "00", []), new([1, 2, 3], null), default),
        };
        foreach (var step in steps)
        {
            await step();
            var answer = await AskAsync($"/jobs/{id}", $"{tag}");
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.NotEqual(tag, answer.Headers.ETag);
            tag = answer.Headers.ETag!;
        }
    }

    [Fact]
    public async Task Get_MetricsAfterTheyChanged_GivesThemWithAnotherTag()
    {
        var id = await Api.SubmitAsync(Spec);
        var seen = new HashSet<string>();
        await SeeAsync([]);
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics, Metrics with { Epoch = 2 }], null, default);
        await SeeAsync([0.7, 0.7]);
        // Another attempt trains the second epoch again.
        await Queue.GiveBackAsync(job, "test", null, default);
        await Database.ExecuteAsync("UPDATE jobs SET run_at = now()");
        job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics with { Epoch = 2, TrainLoss = 0.5 }], null, default);
        await SeeAsync([0.7, 0.5]);
        // A third attempt begins anew.
        await Queue.FailAsync(job, "test", default);
        await Queue.RetryAsync(id, fresh: true, default);
        await SeeAsync([]);
        job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics with { TrainLoss = 0.4 }], null, default);
        await SeeAsync([0.4]);

        async Task SeeAsync(double[] losses)
        {
            foreach (var known in seen)
                Assert.Equal(HttpStatusCode.OK, (await AskAsync($"/jobs/{id}/metrics", known)).StatusCode);
            var answer = await Http.GetAsync($"/jobs/{id}/metrics");
            Assert.Equal(
                losses,
                JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["items"]!
                    .AsArray()
                    .Select(item => item!["trainLoss"]!.GetValue<double>())
            );
            Assert.True(seen.Add($"{answer.Headers.ETag}"));
            Assert.Equal(HttpStatusCode.NotModified, (await AskAsync($"/jobs/{id}/metrics", $"{answer.Headers.ETag}")).StatusCode);
        }
    }

    /// <summary>The start of epoch 101 must not make the API send the first hundred epochs to a dashboard again.</summary>
    [Fact]
    public async Task Get_MetricsWhenOnlyProgressChanged_Is304()
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics], null, default);
        var tag = (await Http.GetAsync($"/jobs/{id}/metrics")).Headers.ETag!;

        await Queue.HeartbeatAsync(worker, [new(job, new(2, 3, 10, 422, 5000, 30))], null, default);
        await Queue.ReportAsync(job, [], [1, 2, 3], default); // a checkpoint

        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync($"/jobs/{id}/metrics", $"{tag}")).StatusCode);
    }

    /// <summary>A poller that advances `since` but sends its last tag must still receive the new epochs.</summary>
    [Fact]
    public async Task Get_OtherEpochsWithTheTagOfThese_IsNever304()
    {
        var id = await Api.SubmitAsync(Spec);
        await Queue.ReportAsync(await ClaimAsync(), [Metrics, Metrics with { Epoch = 2 }], null, default);
        var tags = new List<EntityTagHeaderValue>();
        foreach (var since in new[] { "", "?since=1", "?since=2" })
            tags.Add((await Http.GetAsync($"/jobs/{id}/metrics{since}")).Headers.ETag!);

        Assert.Equal(3, tags.Distinct().Count());
        Assert.Equal(HttpStatusCode.OK, (await AskAsync($"/jobs/{id}/metrics?since=1", $"{tags[0]}")).StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/metrics")]
    public async Task Get_WhatIsGone_Is404WhateverTheClientHas(string route)
    {
        var id = await Api.SubmitAsync(Spec);
        var tag = (await Http.GetAsync($"/jobs/{id}{route}")).Headers.ETag!;
        await Http.DeleteAsync($"/jobs/{id}");

        Assert.Equal(HttpStatusCode.NotFound, (await AskAsync($"/jobs/{id}{route}", $"{tag}")).StatusCode);
    }

    /// <summary>Requests that arrive together share one query; each must get the answer for its own job.</summary>
    [Fact]
    public async Task Get_ManyAtOnce_AnswersEachForItsOwnJob()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 20; i++)
            ids.Add(await Api.SubmitAsync(Spec));
        var tags = await Task.WhenAll(ids.Select(async id => (await Http.GetAsync($"/jobs/{id}")).Headers.ETag!));
        var changed = ids.Where((_, i) => i % 3 == 0).ToHashSet();
        foreach (var id in changed)
            await Http.PostAsync($"/jobs/{id}/cancel", null);

        var asked = await Task.WhenAll(
            Enumerable
                .Range(0, 400)
                .Select(async i => (Id: ids[i % 20], (await AskAsync($"/jobs/{ids[i % 20]}", $"{tags[i % 20]}")).StatusCode))
        );

        Assert.All(asked, one => Assert.Equal(changed.Contains(one.Id) ? HttpStatusCode.OK : HttpStatusCode.NotModified, one.StatusCode));
    }
}
