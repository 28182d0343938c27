using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

public class BackpressureTests
{
    private static readonly object Spec = new
    {
        dataset = "mnist",
        epsilon = 0.1,
        epochs = 3,
    };

    [Fact]
    public async Task Submit_BeyondTheQueueLimit_Is429UntilThereIsRoomAndStoresNothing()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["Api__MaxQueued"] = "3" }
        );
        for (var i = 0; i < 2; i++)
            await api.SubmitAsync(Spec);
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(api, "key")).StatusCode);

        var refused = await PostAsync(api, null);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(api, "key")).StatusCode); // the job exists already
        Assert.Equal(3, await database.ScalarAsync<long>("SELECT count(*) FROM jobs"));

        await database.ExecuteAsync("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE idempotency_key IS NULL");

        await Eventually.TrueAsync(async () => (await PostAsync(api, null)).StatusCode == HttpStatusCode.Accepted);
    }

    [Fact]
    public async Task Submit_ByManyAtOnce_NeverExceedsTheLimit()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["Api__MaxQueued"] = "20" }
        );

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => PostAsync(api, null)));

        Assert.All(
            answers,
            answer => Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.Accepted, HttpStatusCode.TooManyRequests })
        );
        // Jobs stored during a count may count twice for a second.
        Assert.InRange(answers.Count(answer => answer.StatusCode == HttpStatusCode.Accepted), 1, 20);
        await Eventually.TrueAsync(async () =>
            (await PostAsync(api, null)).StatusCode == HttpStatusCode.TooManyRequests && await CountAsync() == 20
        );

        Task<long> CountAsync() => database.ScalarAsync<long>("SELECT count(*) FROM jobs");
    }

    [Fact]
    public async Task Requests_MoreThanTheApiCarries_Are429AndNotAnEndlessQueue()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync($"{database.ConnectionString};Maximum Pool Size=70");
        await using var blocker = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var block = new Npgsql.NpgsqlCommand("LOCK TABLE jobs", blocker))
            await block.ExecuteNonQueryAsync();
        var stuck = Enumerable.Range(0, 1100).Select(_ => api.Http.GetAsync("/jobs")).ToArray();

        var refused = await (await Task.WhenAny(stuck));

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync("/health/live")).StatusCode);
        await transaction.RollbackAsync();
        var answers = await Task.WhenAll(stuck);
        // On a slow machine the API gives up some of the requests that waited for the table: 503.
        foreach (var answer in answers)
            Assert.True(
                answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable,
                $"{answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}\n{api.Output}"
            );
        Assert.InRange(answers.Count(answer => answer.StatusCode == HttpStatusCode.TooManyRequests), 1, 100);
    }

    [Fact]
    public async Task Requests_OfOneKeyThatWait_LeaveAnotherKeyServed()
    {
        await using var database = await TestDatabase.CreateAsync();
        var (busy, other) = (await database.MakeKeyAsync("busy"), await database.MakeKeyAsync("other"));
        await using var api = await ApiProcess.StartAsync(
            $"{database.ConnectionString};Maximum Pool Size=100" // as without the tests' setting
        );
        await using var blocker = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var block = new Npgsql.NpgsqlCommand("LOCK TABLE jobs", blocker))
            await block.ExecuteNonQueryAsync();

        // 48 of these are processed at once and 1,000 wait: a refusal shows that all places of this key are taken.
        var stuck = Enumerable.Range(0, 1100).Select(_ => GetAsync("/jobs", busy)).ToArray();
        var refused = await await Task.WhenAny(stuck);
        var served = await GetAsync("/datasets", other);
        await transaction.RollbackAsync();

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.True(served.StatusCode == HttpStatusCode.OK, await served.Content.ReadAsStringAsync());
        await Task.WhenAll(stuck);

        Task<HttpResponseMessage> GetAsync(string path, string key) =>
            api.Http.SendAsync(new(HttpMethod.Get, path) { Headers = { Authorization = new("Bearer", key) } });
    }

    /// <summary>A stream that continues from an old id reads many rows, and a client may have a thousand of them.</summary>
    [Fact]
    public async Task Streams_ThatReadWhatTheyMissed_DoSoFourAtOnceAndLeaveOthersServed()
    {
        await using var database = await TestDatabase.CreateAsync();
        string[] busy = [await database.MakeKeyAsync("one"), await database.MakeKeyAsync("two"), await database.MakeKeyAsync("three")];
        var other = await database.MakeKeyAsync("other", tenant: "other");
        await using var api = await ApiProcess.StartAsync($"{database.ConnectionString};Maximum Pool Size=100");
        var old = await database.ScalarAsync<string>("SELECT pg_current_snapshot()::text");
        await using var blocker = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var block = new Npgsql.NpgsqlCommand("LOCK TABLE epochs", blocker))
            await block.ExecuteNonQueryAsync();
        using var end = new CancellationTokenSource();

        List<Task<HttpResponseMessage>> streams = [.. Enumerable.Range(0, 40).Select(_ => OpenAsync(busy[0]))];
        await Eventually.TrueAsync(async () => await ReadingAsync() == 2);
        streams.AddRange(busy[1..].SelectMany(key => Enumerable.Range(0, 40).Select(_ => OpenAsync(key))));
        await Eventually.TrueAsync(async () => await ReadingAsync() == 4);
        var served = await api.Http.SendAsync(new(HttpMethod.Get, "/jobs") { Headers = { Authorization = new("Bearer", other) } });

        Assert.True(served.StatusCode == HttpStatusCode.OK, await served.Content.ReadAsStringAsync());
        for (var i = 0; i < 20; i++)
            Assert.InRange(await ReadingAsync(), 0, 4);
        await end.CancelAsync();
        await transaction.RollbackAsync();
        await Task.WhenAll(streams).ContinueWith(_ => { }, TaskScheduler.Default);

        Task<HttpResponseMessage> OpenAsync(string key)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, "/events") { Headers = { Authorization = new("Bearer", key) } };
            request.Headers.Add("Last-Event-ID", old);
            return api.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, end.Token);
        }

        // The statement that each of them begins with. Another one, for all streams together, waits for the table too.
        Task<long> ReadingAsync() =>
            database.ScalarAsync<long>(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
                    + "AND query LIKE '%OFFSET%'"
            );
    }

    [Fact]
    public async Task StudyRetry_BeyondTheQueueLimit_Is429AndQueuesNothing()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["Api__MaxQueued"] = "4" }
        );
        var submitted = await api.Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = new { dataset = "digits", epochs = 1 },
                epsilons = new[] { 0, 0.1 },
                seeds = 2,
            }
        );
        var study = JsonNode.Parse(await submitted.Content.ReadAsStringAsync())!["id"]!.GetValue<Guid>();
        await database.ExecuteAsync("UPDATE jobs SET state = 'failed', finished_at = now(), reason = 'it diverged'");
        // The API counts the queued jobs at most once a second.
        await Eventually.TrueAsync(async () => (await PostAsync(api, null)).StatusCode == HttpStatusCode.Accepted);

        var refused = await api.Http.PostAsync($"/studies/{study}/retry", null);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal(1, await database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE state = 'queued'"));

        await database.ExecuteAsync("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE state = 'queued'");

        await Eventually.TrueAsync(async () => (await api.Http.PostAsync($"/studies/{study}/retry", null)).IsSuccessStatusCode);
        Assert.Equal(4, await database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE state = 'queued'"));
    }

    private static Task<HttpResponseMessage> PostAsync(ApiProcess api, string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/jobs") { Content = JsonContent.Create(Spec) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return api.Http.SendAsync(request);
    }
}
