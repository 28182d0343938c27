using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Events;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

public class EventTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "00", []);

    private static readonly TrainedModel Model = new([1, 2, 3], null);

    /// <summary>The oldest possible id would make the API read all rows of all tenants.</summary>
    [Fact]
    public async Task Stream_FromFarBehind_BeginsAnew()
    {
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0],"seeds":1}"""
        );
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics], null, default);
        await Database.ExecuteAsync(
            $"""
            INSERT INTO epochs (job_id, attempt, epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap,
                learning_rate, seconds, images_per_second)
            SELECT job_id, attempt, n, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap,
                learning_rate, seconds, images_per_second
            FROM epochs, generate_series(2, {EventReader.MostMissed + 2}) n
            """
        );

        using var all = await EventStream.OpenAsync(Http, "/events", "4:4:");
        using var ofStudy = await EventStream.OpenAsync(Http, $"/studies/{study!["id"]}/events", "4:4:");
        using var ofJob = await EventStream.OpenAsync(Http, $"/jobs/{job.Id}/events", "4:4:");
        var next = await Api.SubmitAsync(Spec);

        Assert.Equal($"{next}", $"{(await all.NextAsync())!.Data["jobId"]}");
        Assert.Equal(("state", "study"), ((await ofStudy.NextAsync())!.Type, (await ofStudy.NextAsync())!.Type));
        await ofJob.NextAsync("epoch"); // a job's stream goes on from any id
    }

    [Fact]
    public async Task Stream_OfAJob_TellsEachChangeAsTheOtherRoutesDo()
    {
        var id = await Api.SubmitAsync(Spec);
        using var stream = await EventStream.OpenAsync(Http, $"/jobs/{id}/events");
        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("no-store", stream.Response.Headers.CacheControl?.ToString());
        Assert.Equal("no", stream.Response.Headers.GetValues("X-Accel-Buffering").Single());
        var live = new List<SeenEvent>();

        await ExpectAsync("state");
        var job = await ClaimAsync();
        await ExpectAsync("attempt", "state");
        await Queue.ReportTrainingStartedAsync(job, "a note", default);
        await ExpectAsync("attempt");
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 1), [new(job, new(1, 3, 10, 422, 5000, 30))], null, default);
        await ExpectAsync("progress");
        await Queue.ReportAsync(job, [Metrics, Metrics with { Epoch = 2 }], null, default);
        await ExpectAsync("epoch", "epoch");
        await Queue.GiveBackAsync(job, "test", "its last lines", default);
        await ExpectAsync("attempt", "state");
        await Database.ExecuteAsync("UPDATE jobs SET run_at = now()");
        job = await ClaimAsync();
        await ExpectAsync("attempt", "state");
        await Queue.PauseAsync(id, default);
        await ExpectAsync("state");
        await Queue.ResumeAsync(id, default);
        await ExpectAsync("state");
        await Queue.ReportAsync(job, [Metrics with { Epoch = 2, TrainLoss = 0.5 }], null, default); // trained again
        await ExpectAsync("epoch");
        await Queue.SucceedAsync(job, Result, Model, default);
        await ExpectAsync("attempt", "state");
        Assert.Null(await stream.NextAsync());

        var all = await AllAsync($"/jobs/{id}/events");
        Assert.Equal(["epoch", "attempt", "epoch", "attempt", "state"], all.Select(one => one.Type));
        await AssertContinuesAsync($"/jobs/{id}/events", live, all);

        async Task ExpectAsync(params string[] types)
        {
            foreach (var type in types)
            {
                var seen = await stream.NextAsync();
                Assert.Equal(type, seen?.Type);
                Assert.Equal($"{id}", seen!.Data["jobId"]!.GetValue<string>());
                Assert.Equal(["jobId", "studyId", type], seen.Data.AsObject().Select(member => member.Key));
                Assert.Equal(type == "progress", seen.Id is null);
                live.Add(seen);
            }
            // The last of the events tells what the routes tell now.
            var (last, shown) = (live[^1], await Api.JobAsync(id));
            var same = last.Type switch
            {
                "state" => new[] { "state", "reason", "isTerminal", "attempt" }.All(name =>
                    JsonNode.DeepEquals(last.Payload[name], shown[name])
                ),
                "progress" => JsonNode.DeepEquals(last.Payload, shown["progress"]),
                "epoch" => JsonNode.DeepEquals(last.Payload, (await Api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray()[^1]),
                _ => JsonNode.DeepEquals(last.Payload, (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]!.AsArray()[^1]),
            };
            Assert.True(same, last.Content);
        }
    }

    [Fact]
    public async Task Stream_OfAStudy_TellsItsJobsAndItsCountsAndEnds()
    {
        var id = await SubmitStudyAsync();
        var other = await Api.SubmitAsync(Spec);
        using var stream = await EventStream.OpenAsync(Http, $"/studies/{id}/events");
        var live = new List<SeenEvent>();
        string? counts = null;

        await ExpectAsync("state", "state", "study");
        Assert.Equal(2, live[^1].Payload["progress"]!["queued"]!.GetValue<int>());
        await Queue.CancelAsync(other, default); // of no interest here
        for (var i = 0; i < 2; i++)
        {
            var job = await ClaimAsync();
            await ExpectAsync("attempt", "state", "study");
            Assert.Equal("running", live[^1].Payload["state"]!.GetValue<string>());
            await Queue.ReportAsync(job, [Metrics], null, default);
            await ExpectAsync("epoch");
            await Queue.SucceedAsync(job, Result, Model, default);
            await ExpectAsync("attempt", "state", "study");
        }
        Assert.Null(await stream.NextAsync());
        var shown = await Api.GetAsync($"/studies/{id}");
        Assert.True(JsonNode.DeepEquals(live[^1].Payload["state"], shown["state"]));
        Assert.True(JsonNode.DeepEquals(live[^1].Payload["progress"], shown["progress"]));

        var started = live.Skip(2).ToList();
        await AssertContinuesAsync($"/studies/{id}/events", started, await RestAfterAsync($"/studies/{id}/events", started[0].Id!));
        Assert.Equal(["state", "state", "study"], (await AllAsync($"/studies/{id}/events")).Select(one => one.Type));

        async Task ExpectAsync(params string[] types)
        {
            foreach (var type in types)
            {
                var seen = await stream.NextAsync();
                // What is published while a stream begins may have counts that the stream has told already.
                while (seen?.Type == "study" && seen.Payload["progress"]!.ToJsonString() == counts)
                    seen = await stream.NextAsync();
                if (seen?.Type == "study")
                    counts = seen.Payload["progress"]!.ToJsonString();
                Assert.Equal(type, seen?.Type);
                Assert.Equal(id, seen!.Data["studyId"]!.GetValue<string>());
                Assert.NotNull(seen.Id);
                live.Add(seen);
            }
        }
    }

    /// <summary>
    /// Transactions commit in another order than they begin, and a client may connect and break off at any moment. Yet each
    /// client gets each epoch once.
    /// </summary>
    [Fact]
    public async Task Stream_ByClientsThatBreakOffWhileWritersOverlap_GivesEachEpochOnce()
    {
        const int Jobs = 3,
            Epochs = 150;
        var jobs = new List<ClaimedJob>();
        for (var i = 0; i < Jobs; i++)
        {
            await Api.SubmitAsync(Spec);
            jobs.Add(await ClaimAsync());
        }
        using var first = await EventStream.OpenAsync(Http, "/events");
        var start = (await FirstIdAsync(jobs[0]))!;

        var writers = jobs.Select(job =>
            Task.Run(async () =>
            {
                for (var epoch = 2; epoch <= Epochs; epoch++)
                {
                    await using var connection = await Database.DataSource.OpenConnectionAsync();
                    await using var transaction = await connection.BeginTransactionAsync();
                    await ExecuteAsync(connection, "SELECT pg_current_xact_id()");
                    await Task.Delay(Random.Shared.Next(20)); // others begin later and commit earlier
                    await ExecuteAsync(connection, $"INSERT INTO epochs VALUES ('{job.Id}', {epoch}, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)");
                    await transaction.CommitAsync();
                }
            })
        );
        var clients = Enumerable.Range(0, 8).Select(client => FollowAsync(new Random(client))).ToArray();
        await Task.WhenAll(writers);
        foreach (var seen in await Task.WhenAll(clients))
            Assert.Equal(
                jobs.SelectMany(job => Enumerable.Range(2, Epochs - 1).Select(epoch => (job.Id, epoch))).Order(),
                seen.Where(one => one.Item2 > 1).Order()
            );

        async Task<string?> FirstIdAsync(ClaimedJob job)
        {
            await Queue.ReportAsync(job, [Metrics], null, default);
            return (await first.NextAsync("epoch")).Id;
        }

        async Task<List<(Guid, int)>> FollowAsync(Random random)
        {
            var (seen, last) = (new List<(Guid, int)>(), start);
            while (seen.Count < Jobs * (Epochs - 1))
            {
                using var stream = await EventStream.OpenAsync(Http, "/events", last);
                for (var left = random.Next(1, 120); left > 0 && seen.Count < Jobs * (Epochs - 1); left--)
                {
                    var one = (await stream.NextAsync("epoch"))!;
                    seen.Add((one.Data["jobId"]!.GetValue<Guid>(), one.Payload["epoch"]!.GetValue<int>()));
                    last = one.Id!;
                }
            }
            return seen;
        }
    }

    /// <summary>The first page of what was missed shows the counts of the end already.</summary>
    [Fact]
    public async Task Stream_OfAStudyThatEndedSeveralPagesAgo_EndsWithTheStudy()
    {
        var path = $"/studies/{await SubmitStudyAsync()}/events";
        using var stream = await EventStream.OpenAsync(Http, path);
        var start = (await stream.NextAsync("study")).Id!;
        await Queue.FailAsync(await ClaimAsync(), "test", default);
        var job = await ClaimAsync();
        for (var transaction = 0; transaction < 5; transaction++)
            await Database.ExecuteAsync(InsertEpochs(job, 1 + transaction * 600, 600));
        await Queue.SucceedAsync(job, Result, Model, default);

        var rest = await RestAfterAsync(path, start);

        Assert.Equal(Enumerable.Range(1, 3000), EpochsIn(rest));
        Assert.Equal("study", rest[^1].Type);
        Assert.True(rest[^1].Payload["isTerminal"]!.GetValue<bool>());
        Assert.Equal(HttpStatusCode.NoContent, (await EventStream.AskAsync(Http, path, rest[^1].Id)).StatusCode);
    }

    [Fact]
    public async Task Stream_WhenATransactionHasMoreEventsThanMayWait_GivesEachOnceAndGoesOn()
    {
        const int Epochs = 6000;
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        using var stream = await EventStream.OpenAsync(Http, $"/jobs/{id}/events");
        await stream.NextAsync("state");

        await Database.ExecuteAsync(InsertEpochs(job, 1, Epochs));
        var seen = await TakeAsync(stream, Epochs);
        await Queue.ReportAsync(job, [Metrics with { Epoch = Epochs + 1 }], null, default);

        Assert.Equal(Enumerable.Range(1, Epochs), EpochsIn(seen));
        Assert.Equal([Epochs + 1], EpochsIn(await TakeAsync(stream, 1)));
        using var again = await EventStream.OpenAsync(Http, $"/jobs/{id}/events", seen[Epochs - 10].Id);
        Assert.Equal(Enumerable.Range(Epochs - 8, 10), EpochsIn(await TakeAsync(again, 10)));
    }

    /// <summary>The database drops the rows of a busy tenant, so those of a small one come in its first page.</summary>
    [Fact]
    public async Task Stream_OfATenantAfterManyEventsOfAnother_HasItsOwnInTheFirstPage()
    {
        await Api.SubmitAsync(Spec);
        var others = await ClaimAsync();
        await Database.ExecuteAsync("UPDATE jobs SET tenant = 'others'");
        await Api.SubmitAsync(Spec);
        var own = await ClaimAsync();
        var reader = new EventReader(Database.DataSource);
        var start = await reader.NowAsync(default);
        for (var transaction = 0; transaction < 5; transaction++)
            await Database.ExecuteAsync(InsertEpochs(others, 1 + transaction * 600, 600));
        await Queue.ReportAsync(own, [Metrics], null, default);

        var page = await reader.ReadAsync(EventScope.OfTenant("default"), new(start, null), null, default);
        Assert.Equal((1, false), (page.Items.Count, page.HasMore));
        using var stream = await EventStream.OpenAsync(Http, "/events", $"{start}");
        var seen = await stream.NextAsync("epoch");
        Assert.Equal(own.Id, seen.Data["jobId"]!.GetValue<Guid>());
    }

    /// <summary>A transaction that began earlier commits after the client has got a part of another.</summary>
    [Fact]
    public async Task Stream_AfterAnIdWithinATransaction_GivesItsRestAndNothingTwice()
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        await using var earlier = await Database.DataSource.OpenConnectionAsync();
        await using var transaction = await earlier.BeginTransactionAsync();
        await ExecuteAsync(earlier, InsertEpochs(job, 10, 2));
        await Database.ExecuteAsync(InsertEpochs(job, 1, 3));
        using var stream = await EventStream.OpenAsync(Http, $"/jobs/{id}/events");
        var first = await stream.NextAsync("epoch");
        await transaction.CommitAsync();

        using var second = await EventStream.OpenAsync(Http, $"/jobs/{id}/events", first.Id);
        var rest = await TakeAsync(second, 4);
        await Database.ExecuteAsync(InsertEpochs(job, 12, 1));

        Assert.Equal([2, 3, 10, 11], EpochsIn(rest));
        for (var i = 0; i < rest.Count; i++)
        {
            using var next = await EventStream.OpenAsync(Http, $"/jobs/{id}/events", rest[i].Id);
            var expected = EpochsIn(rest).Skip(i + 1).Append(12).ToList();
            Assert.Equal(expected, EpochsIn(await TakeAsync(next, expected.Count)));
        }
    }

    /// <summary>In a restored database they would come as new events when the server reaches them.</summary>
    [Fact]
    public async Task Migration_OfRowsWithTransactionsOfAnotherServer_ForgetsThese()
    {
        await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        await Database.ExecuteAsync(InsertEpochs(job, 1, 2));
        await Database.ExecuteAsync("UPDATE epochs SET changed = '999999999999' WHERE epoch = 1");
        await Database.ExecuteAsync("UPDATE jobs SET state_changed = '999999999999', attempt_changed = '999999999999'");

        await Migrator.MigrateAsync(Database.DataSource, default);

        Assert.Equal(2, await Database.ScalarAsync<int>("SELECT sum(epoch)::int FROM epochs WHERE changed IS NOT NULL"));
        Assert.True(await Database.ScalarAsync<bool>("SELECT state_changed IS NULL AND attempt_changed IS NULL FROM jobs"));
    }

    [Fact]
    public async Task Stream_OfWhatIsNotThereOrAfterNoId_IsRefused()
    {
        foreach (var path in new[] { $"/jobs/{Guid.NewGuid()}/events", $"/studies/{Guid.NewGuid()}/events" })
        {
            var (response, body) = await SendAsync(HttpMethod.Get, path);
            AssertProblem(HttpStatusCode.NotFound, response, body);
        }
        var id = await Api.SubmitAsync(Spec);
        foreach (var wrong in new[] { "x", "5", "1:2", "7:5:", "5:7:6,5", "5:7:;3", "5:7:;3.q.1.1", "5:7:;3.e.1.-1", "5:7:;3.e.1.1;" })
        {
            var refused = await EventStream.AskAsync(Http, $"/jobs/{id}/events", wrong);
            var body = await refused.Content.ReadFromJsonAsync<JsonNode>();
            AssertProblem(HttpStatusCode.BadRequest, refused, body);
            Assert.NotNull(body!["errors"]!["last-event-id"]);
            var (other, _) = await SendAsync(HttpMethod.Get, $"/events?lastEventId={Uri.EscapeDataString(wrong)}");
            Assert.Equal(HttpStatusCode.BadRequest, other.StatusCode);
        }
        var (unknown, _) = await SendAsync(HttpMethod.Get, "/events?after=1");
        Assert.Equal(HttpStatusCode.BadRequest, unknown.StatusCode);
        var head = await Http.SendAsync(new(HttpMethod.Head, $"/jobs/{id}/events"));
        Assert.Equal("text/event-stream", head.Content.Headers.ContentType?.MediaType);
    }

    /// <summary>A database that was restored from a dump begins to count anew. Ids from before tell it nothing.</summary>
    [Fact]
    public async Task Stream_AfterAnIdThatTheDatabaseHasNotReached_BeginsAnew()
    {
        var id = await Api.SubmitAsync(Spec);
        using var stream = await EventStream.OpenAsync(Http, $"/jobs/{id}/events", $"{long.MaxValue}:{long.MaxValue}:");

        Assert.Equal("queued", (await stream.NextAsync("state")).Payload["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Stream_OfAJobThatIsDeleted_Ends()
    {
        var id = await Api.SubmitAsync(Spec);
        using var stream = await EventStream.OpenAsync(Http, $"/jobs/{id}/events");
        await stream.NextAsync("state");
        var waiting = WaitAsync($"/jobs/{id}", 20);

        await Http.DeleteAsync($"/jobs/{id}");

        Assert.Empty(await stream.RestAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await waiting).StatusCode);
    }

    /// <summary>The database must not notice how many clients follow a job.</summary>
    [Fact]
    public async Task Stream_ToFiftyClients_ReadsTheDatabaseOnce()
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        var streams = new List<EventStream>();
        for (var i = 0; i < 50; i++)
        {
            streams.Add(await EventStream.OpenAsync(Http, $"/jobs/{id}/events"));
            await streams[^1].NextAsync("state");
        }
        var (before, clock) = (await CommitsAsync(), Stopwatch.StartNew());

        const int Epochs = 20;
        for (var epoch = 1; epoch <= Epochs; epoch++)
        {
            await Queue.ReportAsync(job, [Metrics with { Epoch = epoch }], null, default);
            foreach (var stream in streams)
                Assert.Equal(epoch, (await stream.NextAsync("epoch")).Payload["epoch"]!.GetValue<int>());
        }

        // Ten reads a second, and every second or two one of progress and one of existence; each epoch is written once. PostgreSQL
        // counts with a delay of a second, so the reads at the beginning of each stream and the lookup of its key may be among them.
        const int Beginnings = 200;
        Assert.InRange(await CommitsAsync() - before, 0, clock.Elapsed.TotalSeconds * 13 + Epochs + Beginnings);
        foreach (var stream in streams)
            stream.Dispose();

        Task<long> CommitsAsync() =>
            Database.ScalarAsync<long>("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
    }

    [Fact]
    public async Task Wait_WithoutATag_AnswersWhenTheJobHasEnded()
    {
        var id = await Api.SubmitAsync(Spec);
        var waiting = WaitAsync($"/jobs/{id}", 20);
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics], null, default);
        Assert.False(waiting.IsCompleted);

        await Queue.SucceedAsync(job, Result, Model, default);

        var answer = await waiting;
        Assert.Equal("wait=20", answer.Headers.GetValues("Preference-Applied").Single());
        Assert.Equal("succeeded", (await answer.Content.ReadFromJsonAsync<JsonNode>())!["state"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.OK, (await WaitAsync($"/jobs/{id}", 20)).StatusCode); // at once
    }

    [Fact]
    public async Task Wait_WithTheTagOfNow_AnswersAtTheNextChangeOr304()
    {
        var id = await Api.SubmitAsync(Spec);
        var tag = $"{(await Http.GetAsync($"/jobs/{id}")).Headers.ETag}";

        Assert.Equal(HttpStatusCode.NotModified, (await WaitAsync($"/jobs/{id}", 1, tag)).StatusCode);
        var waiting = WaitAsync($"/jobs/{id}", 20, tag);
        await ClaimAsync();
        Assert.Equal("running", (await (await waiting).Content.ReadFromJsonAsync<JsonNode>())!["state"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.OK, (await WaitAsync($"/jobs/{id}", 20, tag)).StatusCode); // at once
        Assert.Equal(
            "running",
            (await (await WaitAsync($"/jobs/{id}", 1)).Content.ReadFromJsonAsync<JsonNode>())!["state"]!.GetValue<string>()
        );
        Assert.Equal("wait=30", (await WaitAsync($"/jobs/{id}", 3000, "\"other\"")).Headers.GetValues("Preference-Applied").Single());
        Assert.Equal(HttpStatusCode.NotFound, (await WaitAsync($"/jobs/{Guid.NewGuid()}", 20)).StatusCode);
    }

    [Fact]
    public async Task Wait_ForAStudy_AnswersWhenItHasChangedOrEnded()
    {
        var path = $"/studies/{await SubmitStudyAsync()}";
        var tag = $"{(await Http.GetAsync(path)).Headers.ETag}";
        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync(path, tag)).StatusCode);
        var (change, end) = (WaitAsync(path, 20, tag), WaitAsync(path, 20));

        var job = await ClaimAsync();
        Assert.Equal("running", (await (await change).Content.ReadFromJsonAsync<JsonNode>())!["state"]!.GetValue<string>());
        await Queue.FailAsync(job, "test", default);
        Assert.False(end.IsCompleted);
        await Http.PostAsync($"{path}/cancel", null);

        Assert.Equal("failed", (await (await end).Content.ReadFromJsonAsync<JsonNode>())!["state"]!.GetValue<string>());
    }

    private Task<HttpResponseMessage> WaitAsync(string path, int seconds, string? known = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Prefer", $"wait={seconds}");
        if (known is not null)
            request.Headers.TryAddWithoutValidation("If-None-Match", known);
        return Http.SendAsync(request);
    }

    private async Task<IReadOnlyList<SeenEvent>> AllAsync(string path)
    {
        using var stream = await EventStream.OpenAsync(Http, path);
        return await stream.RestAsync();
    }

    private async Task<IReadOnlyList<SeenEvent>> RestAfterAsync(string path, string id)
    {
        using var stream = await EventStream.OpenAsync(Http, path, id);
        return await stream.RestAsync();
    }

    /// <summary>
    /// After each event of a stream that has ended, the replay gives what followed: of the things that followed, each as it is
    /// at the end, in the order of a full replay, and nothing that the client has.
    /// </summary>
    private async Task AssertContinuesAsync(string path, IReadOnlyList<SeenEvent> live, IReadOnlyList<SeenEvent> atEnd)
    {
        foreach (var list in new[] { live, atEnd })
            for (var i = 0; i < list.Count; i++)
            {
                if (list[i].Id is not { } id)
                    continue;
                var later = list.Skip(i + 1).Select(one => one.Content).ToHashSet();
                var expected = atEnd.Select(one => one.Content).Where(later.Contains);
                if (expected.Any())
                    Assert.Equal(expected, (await RestAfterAsync(path, id)).Select(one => one.Content));
                else
                    Assert.Equal(HttpStatusCode.NoContent, (await EventStream.AskAsync(Http, path, id)).StatusCode);
            }
    }

    private static string InsertEpochs(ClaimedJob job, int first, int count) =>
        $"""
            INSERT INTO epochs
            SELECT '{job.Id}', epoch, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM generate_series({first}, {first + count - 1}) epoch
            """;

    private static IEnumerable<int> EpochsIn(IEnumerable<SeenEvent> events) =>
        events.Where(one => one.Type == "epoch").Select(one => one.Payload["epoch"]!.GetValue<int>());

    private static async Task<List<SeenEvent>> TakeAsync(EventStream stream, int epochs)
    {
        var taken = new List<SeenEvent>();
        while (taken.Count < epochs)
            taken.Add(await stream.NextAsync("epoch"));
        return taken;
    }

    /// <returns>The id of a study of two jobs.</returns>
    private async Task<string> SubmitStudyAsync()
    {
        var response = await Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = new { dataset = "digits", epochs = 1 },
                epsilons = new[] { 0, 0.1 },
                seeds = 1,
            }
        );
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!["id"]!.GetValue<string>();
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
