namespace Temper.EndToEnd;

/// <summary>Gives each test its own database, API and home folder, and starts workers as the test needs them.</summary>
public abstract class EndToEndTest : IAsyncLifetime
{
    private readonly List<WorkerProcess> workers = [];

    protected TestDatabase Database { get; private set; } = null!;

    protected ApiProcess Api { get; private set; } = null!;

    protected string Home { get; } = Directory.CreateTempSubdirectory("temper-test-").FullName;

    /// <summary>A job that would train for most of an hour.</summary>
    protected static object LongSpec =>
        new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 5000,
        };

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync();
        Api = await ApiProcess.StartAsync(Database.ConnectionString);
    }

    public async Task DisposeAsync()
    {
        await Task.WhenAll(workers.Select(worker => worker.DisposeAsync().AsTask()));
        await Api.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(Home, recursive: true);
    }

    /// <inheritdoc cref="WorkerProcess.StartOfOneThreadAsync"/>
    protected async Task<WorkerProcess> StartWorkerAsync(string? connectionString = null, params (string Name, string Value)[] environment)
    {
        var worker = await WorkerProcess.StartOfOneThreadAsync(connectionString ?? Database.ConnectionString, Home, environment);
        workers.Add(worker);
        return worker;
    }

    /// <summary>Submits a job of one epoch.</summary>
    /// <returns>The job, when it has ended.</returns>
    protected async Task<JsonNode> TrainShortJobAsync() =>
        await Api.FinishedJobAsync(
            await Api.SubmitAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0,
                    epochs = 1,
                }
            ),
            TimeSpan.FromSeconds(30)
        );

    protected async Task<JsonArray> MetricsAsync(Guid id) => (await Api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray();

    /// <summary>Waits until the job has reported at least that many epochs.</summary>
    protected Task EpochsAsync(Guid id, int count) =>
        Eventually.TrueAsync(async () => (await MetricsAsync(id)).Count >= count, TimeSpan.FromSeconds(60));

    /// <summary>How each attempt ended, oldest first.</summary>
    protected async Task<string[]> OutcomesAsync(Guid id) =>
        [
            .. (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]!
                .AsArray()
                .Select(attempt => attempt!["outcome"]?.GetValue<string>() ?? "under way"),
        ];

    protected static string State(JsonNode job) => job["state"]!.GetValue<string>();
}
