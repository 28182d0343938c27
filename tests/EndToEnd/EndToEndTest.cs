namespace Temper.EndToEnd;

/// <summary>Gives each test an empty database with an API, and a home folder. Starts workers as the test needs them.</summary>
public abstract class EndToEndTest : IAsyncLifetime
{
    private readonly List<WorkerProcess> workers = [];
    private ServedDatabase served = null!;

    protected TestDatabase Database => served.Database;

    protected ApiProcess Api => served.Api;

    protected string Home { get; } = Directory.CreateTempSubdirectory("temper-test-").FullName;

    /// <summary>A job that would train for most of an hour.</summary>
    protected static object LongSpec =>
        new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 5000,
        };

    public async Task InitializeAsync() => served = await ServedDatabase.TakeAsync();

    public async Task DisposeAsync()
    {
        try
        {
            await Task.WhenAll(workers.Select(worker => worker.DisposeAsync().AsTask()));
        }
        finally
        {
            try
            {
                await served.GiveBackAsync();
            }
            finally
            {
                Directory.Delete(Home, recursive: true);
            }
        }
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
