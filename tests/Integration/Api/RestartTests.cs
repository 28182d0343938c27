using System.Net;
using System.Net.Http.Json;

namespace Temper.Integration.Api;

/// <summary>Tests that connections that broke while the API was idle make no request fail.</summary>
public class RestartTests
{
    private static readonly object Spec = new
    {
        dataset = "mnist",
        epsilon = 0.1,
        epochs = 3,
    };

    /// <summary>Sends each request just after all pooled connections have broken.</summary>
    [Fact]
    public async Task Request_AfterTheConnectionsBroke_IsAnsweredAllTheSame()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var proxy = new TcpProxy(database.ConnectionString);
        await using var api = await ApiProcess.StartAsync(proxy.ConnectionString);
        var id = await api.SubmitAsync(Spec);
        var study = (
            await (
                await api.Http.PostAsJsonAsync("/studies", new { job = new { dataset = "digits", epochs = 1 }, seeds = 1 })
            ).Content.ReadFromJsonAsync<System.Text.Json.Nodes.JsonNode>()
        )!["id"];

        foreach (
            var path in new[]
            {
                "/jobs",
                $"/jobs/{id}",
                $"/jobs/{id}/metrics",
                $"/jobs/{id}/attempts",
                "/workers",
                "/studies",
                $"/studies/{study}",
                $"/studies/{study}/recommendation",
                $"/studies/{study}/report",
                "/health/ready",
            }
        )
            await AssertAnsweredAsync(path, () => new(HttpMethod.Get, path));
        foreach (var verb in new[] { "pause", "resume", "cancel", "retry" })
        foreach (var target in verb == "retry" ? [$"/jobs/{id}"] : new[] { $"/jobs/{id}", $"/studies/{study}" })
            await AssertAnsweredAsync($"{target}/{verb}", () => new(HttpMethod.Post, $"{target}/{verb}"));
        await AssertAnsweredAsync(
            "a submission with a key",
            () => new(HttpMethod.Post, "/jobs") { Content = JsonContent.Create(Spec), Headers = { { "Idempotency-Key", "key" } } }
        );
        Assert.Equal(1, await database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE idempotency_key = 'key'"));

        async Task AssertAnsweredAsync(string what, Func<HttpRequestMessage> request)
        {
            await WarmAsync(api, id);
            proxy.Cut();
            proxy.Mend();
            var answers = new List<HttpStatusCode>();
            for (var i = 0; i < 3; i++)
                answers.Add((await api.Http.SendAsync(request())).StatusCode);
            Assert.All(
                answers,
                answer => Assert.True(answer is HttpStatusCode.OK or HttpStatusCode.Accepted, $"{what}: {string.Join(", ", answers)}")
            );
        }
    }

    [Fact]
    public async Task Requests_AfterPostgresRestarted_AreAnsweredAllTheSame()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var api = await ApiProcess.StartAsync(server.ConnectionString);
        var id = await api.SubmitAsync(Spec);
        await WarmAsync(api, id);

        await server.RestartAsync();

        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync($"/jobs/{id}")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync("/jobs")).StatusCode);
            Assert.Equal(HttpStatusCode.Accepted, (await api.Http.PostAsJsonAsync("/jobs", Spec)).StatusCode);
        }
    }

    /// <summary>
    /// A connection that breaks within a submission leaves open whether the job was stored. Only a key makes it safe to submit again.
    /// </summary>
    [Fact]
    public async Task Submission_WhoseConnectionBreaks_IsRepeatedOnlyWithAKey()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        await database.ExecuteAsync(
            "CREATE SEQUENCE inserts; CREATE FUNCTION break_the_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                + "IF nextval('inserts') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); END IF; "
                + "RETURN NEW; END $$; "
                + "CREATE TRIGGER break_the_first BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION break_the_first()"
        );

        var refused = await api.Http.PostAsJsonAsync("/jobs", Spec);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal(0, await database.ScalarAsync<long>("SELECT count(*) FROM jobs"));

        await database.ExecuteAsync("ALTER SEQUENCE inserts RESTART");
        var accepted = await api.Http.SendAsync(
            new(HttpMethod.Post, "/jobs") { Content = JsonContent.Create(Spec), Headers = { { "Idempotency-Key", "key" } } }
        );

        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        Assert.Equal(1, await database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        Assert.Equal(2, await database.ScalarAsync<long>("SELECT last_value FROM inserts"));
    }

    /// <summary>Fills both connection pools.</summary>
    private static Task WarmAsync(ApiProcess api, Guid id) =>
        Task.WhenAll(Enumerable.Range(0, 20).SelectMany(_ => new[] { api.Http.GetAsync("/workers"), api.Http.GetAsync($"/jobs/{id}") }));
}
