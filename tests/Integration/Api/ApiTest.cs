using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

// More classes at once than the cores that the suite is made for: many wait for outages and time limits.
[assembly: CollectionBehavior(MaxParallelThreads = 3)]

namespace Temper.Integration.Api;

/// <summary>A test class's API and database.</summary>
public sealed class ApiFixture : IAsyncLifetime
{
    private ServedDatabase served = null!;

    public TestDatabase Database => served.Database;

    public ApiProcess Api => served.Api;

    public JobQueue Queue { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        served = await ServedDatabase.TakeAsync();
        Queue = new JobQueue(Database.DataSource);
    }

    public async Task DisposeAsync() => await served.GiveBackAsync();
}

public abstract class ApiTest(ApiFixture fixture) : IClassFixture<ApiFixture>
{
    protected static readonly object Spec = new
    {
        dataset = "mnist",
        epsilon = 0.1,
        epochs = 3,
    };

    protected TestDatabase Database => fixture.Database;

    protected ApiProcess Api => fixture.Api;

    protected HttpClient Http => fixture.Api.Http;

    protected JobQueue Queue => fixture.Queue;

    protected async Task<(HttpResponseMessage Response, JsonNode? Body)> SendAsync(HttpMethod method, string path, string? json = null)
    {
        var request = new HttpRequestMessage(method, path)
        {
            Content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json"),
        };
        var response = await Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return (response, text.Length == 0 ? null : JsonNode.Parse(text));
    }

    /// <param name="known">The If-None-Match header: the ETags of what the client already has.</param>
    protected Task<HttpResponseMessage> AskAsync(string path, string known)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        Assert.True(request.Headers.TryAddWithoutValidation("If-None-Match", known));
        return Http.SendAsync(request);
    }

    /// <summary>Claims the one queued job as a worker would.</summary>
    protected async Task<ClaimedJob> ClaimAsync()
    {
        var worker = WorkerIdentity.Create("cpu", 1);
        await Queue.HeartbeatAsync(worker, [], null, default);
        return (await Queue.ClaimAsync(worker.Id, false, default))!;
    }

    protected static void AssertProblem(HttpStatusCode status, HttpResponseMessage response, JsonNode? body)
    {
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal((int)status, body!["status"]!.GetValue<int>());
        Assert.NotEmpty(body["title"]!.GetValue<string>());
    }
}

/// <summary>Clears the tables before each test, so that a test sees and claims only its own jobs.</summary>
public abstract class OwnJobsTest(ApiFixture fixture) : ApiTest(fixture), IAsyncLifetime
{
    protected static readonly EpochMetrics Metrics = new(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400);

    public async Task InitializeAsync()
    {
        const string clear =
            "TRUNCATE studies, arms, jobs, epochs, checkpoints, models, scores, attempts, workers, notifications, notification_attempts, "
            + "evaluations, evaluation_pieces, tenants, tenant_usage";
        for (var left = 5; ; left--)
            try
            {
                await Database.ExecuteAsync(clear);
                return;
            }
            // The API still works for the test before and locks the tables in another order.
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DeadlockDetected && left > 0) { }
    }

    public Task DisposeAsync() => Task.CompletedTask;
}
