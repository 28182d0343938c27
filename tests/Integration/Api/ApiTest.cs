using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Harness.Fuzz;
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

/// <summary>A row of each kind that a path can name.</summary>
public sealed record StoredRows(Guid Job, Guid Study, Guid Evaluation, string Dataset, string Tenant)
{
    /// <returns>The operation's path with the row that it names.</returns>
    public string PathOf(Operation operation) =>
        operation.Path.Split('/') switch
        {
            ["", "jobs", "{id}", ..] => operation.Path.Replace("{id}", $"{Job}"),
            ["", "studies", "{id}", ..] => operation.Path.Replace("{id}", $"{Study}"),
            ["", "evaluations", "{id}", ..] => operation.Path.Replace("{id}", $"{Evaluation}"),
            ["", "datasets", "{name}", ..] => operation.Path.Replace("{name}", Dataset),
            ["", "tenants", "{name}", ..] => operation.Path.Replace("{name}", Tenant),
            ["", "keys" or "workers", "{id}", ..] => operation.Path.Replace("{id}", $"{Guid.Empty}"), // these are no tenant's
            _ when operation.Path.Contains('{') => throw new ArgumentException($"Say here what {operation} names.", nameof(operation)),
            _ => operation.Path,
        };
}

/// <summary>Clears the tables before each test, so that a test sees and claims only its own jobs.</summary>
public abstract class OwnJobsTest(ApiFixture fixture) : ApiTest(fixture), IAsyncLifetime
{
    protected static readonly EpochMetrics Metrics = new(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400);

    /// <summary>Stores a job that has succeeded, a study with one job, an evaluation, and a data set, of the default tenant.</summary>
    protected async Task<StoredRows> StoreOfEachKindAsync()
    {
        var job = await Api.SubmitAsync(Spec);
        var logits = SimulatedLogits.Draw(300, 1, 4);
        var result = new JobResult(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "aa", [], "dd", "bb");
        Assert.True(await Queue.SucceedAsync(await ClaimAsync(), result, new([1, 2, 3], StoredLogits.Of(logits, logits, null)), default));
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0],"seeds":1}"""
        );
        var file = NpzBytes.Of(("logits", logits.Logits, [logits.Count, logits.Classes]), ("labels", logits.Labels, [logits.Count]));
        using var content = new ByteArrayContent(file) { Headers = { ContentType = new("application/octet-stream") } };
        using var answer = await Http.PostAsync("/evaluations", content);
        var evaluation = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["evaluation"]!;
        await Database.ExecuteAsync(
            """
            DELETE FROM datasets;
            INSERT INTO dataset_contents (id) VALUES ('00000000-0000-0000-0000-000000000001') ON CONFLICT DO NOTHING;
            INSERT INTO dataset_names (name, last_version) VALUES ('shapes', 1) ON CONFLICT DO NOTHING;
            INSERT INTO datasets (id, name, version, content_id, length, content, details, samples, mean)
            VALUES ('shapes@1', 'shapes', 1, '00000000-0000-0000-0000-000000000001', 1,
                    '{"sha256":"aa","classes":2,"channels":1,"height":4,"width":4,"trainImages":2,"validationImages":0,"testImages":2}',
                    '{"classes":[]}', '', '')
            """
        );
        return new(job, Guid.Parse($"{study!["id"]}"), Guid.Parse($"{evaluation["id"]}"), "shapes@1", "default");
    }

    public async Task InitializeAsync()
    {
        const string clear =
            "TRUNCATE studies, arms, jobs, epochs, checkpoints, models, scores, corruption_scores, attempts, workers, notifications, "
            + "notification_attempts, evaluations, evaluation_pieces, tenants, tenant_usage";
        for (var left = 5; ; left--)
            try
            {
                await Database.ExecuteAsync(clear);
                return;
            }
            // The API still works for the test before and locks the tables in another order.
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DeadlockDetected && left > 0) { }
    }

    public virtual Task DisposeAsync() => Task.CompletedTask;
}
