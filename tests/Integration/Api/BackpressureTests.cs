using System.Net;
using System.Net.Http.Json;

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
        Assert.All(
            answers,
            answer =>
                Assert.Contains(
                    answer.StatusCode,
                    new[] { HttpStatusCode.OK, HttpStatusCode.TooManyRequests, HttpStatusCode.ServiceUnavailable }
                )
        );
        Assert.InRange(answers.Count(answer => answer.StatusCode == HttpStatusCode.TooManyRequests), 1, 100);
    }

    private static Task<HttpResponseMessage> PostAsync(ApiProcess api, string? key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/jobs") { Content = JsonContent.Create(Spec) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return api.Http.SendAsync(request);
    }
}
