using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;
using Temper.Harness.Telemetry;
using Temper.Store;
using Temper.Store.Queue;

namespace Temper.Integration.Telemetry;

/// <summary>
/// An API and a worker with all telemetry on, which have trained one small job. The worker has a card of a stand-in for nvidia-smi.
/// Jobs of two tenants for a GPU wait in the queue.
/// </summary>
public sealed class TelemetryFixture : IAsyncLifetime
{
    public static readonly object SmallJob = new
    {
        dataset = "digits:images=500",
        epsilon = 0.1,
        epochs = 2,
    };

    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;
    private readonly int apiPort = ApiProcess.FreePort();
    private readonly int workerPort = ApiProcess.FreePort();
    private TestDatabase database = null!;

    public ApiProcess Api { get; private set; } = null!;

    public WorkerProcess Worker { get; private set; } = null!;

    public OtlpReceiver Receiver { get; private set; } = null!;

    /// <summary>The job that was trained, as GET /jobs/{id} shows it.</summary>
    public JsonNode Job { get; private set; } = null!;

    /// <summary>What Prometheus reads after that job.</summary>
    public IReadOnlyDictionary<string, Family> OfApi { get; private set; } = null!;

    public IReadOnlyDictionary<string, Family> OfWorker { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        Receiver = await OtlpReceiver.StartAsync();
        // The API's own metrics are sent seldom: sending them reads the queue, and a reader within five seconds gets the same figures.
        Api = await ApiProcess.StartAsync(
            database.ConnectionString,
            With(("Telemetry__PrometheusPort", $"{apiPort}"), ("OTEL_METRIC_EXPORT_INTERVAL", "600000"))
        );
        Worker = await WorkerProcess.StartAsync(
            database.ConnectionString,
            home,
            With(
                ("Telemetry__PrometheusPort", $"{workerPort}"),
                ("Worker__NvidiaSmi", new FakeNvidiaSmi(home, FakeNvidiaSmi.Card(0, "GPU-a")).Path),
                ("Worker__Threads", "1"),
                ("Logging__Console__FormatterName", "json")
            )
        );
        await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
                device = "cuda",
            }
        );
        await using (var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options))
            await JobQueue.SubmitAsync(
                db,
                "vision",
                new()
                {
                    Dataset = "digits",
                    Epsilon = 0.1,
                    Epochs = 1,
                    Device = DeviceName.Cuda,
                },
                default
            );
        Job = await TrainAsync(SmallJob);
        (OfApi, OfWorker) = (await Scrape.ReadAsync(apiPort), await Scrape.ReadAsync(workerPort));
    }

    public async Task DisposeAsync()
    {
        await Worker.DisposeAsync();
        await Api.DisposeAsync();
        await Receiver.DisposeAsync();
        await database.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }

    /// <returns>The job when it has ended.</returns>
    public async Task<JsonNode> TrainAsync(object spec) =>
        await Api.FinishedJobAsync(await Api.SubmitAsync(spec), TimeSpan.FromSeconds(60));

    /// <summary>The spans of a trace once it has so many of a name.</summary>
    public async Task<IReadOnlyList<ReceivedSpan>> TraceAsync(string traceId, int count, string name)
    {
        IReadOnlyList<ReceivedSpan> spans = [];
        await Eventually.TrueAsync(() =>
        {
            spans = [.. Receiver.Spans.Where(span => span.TraceId == traceId)];
            var complete = spans.Count(span => span.Name == name) == count && spans.Any(span => span.Source.EndsWith("AspNetCore"));
            return Task.FromResult(complete);
        });
        return spans;
    }

    /// <summary>The span of a job's last attempt.</summary>
    public async Task<ReceivedSpan> AttemptAsync(JsonNode job)
    {
        var (id, attempt) = (job["id"]!.GetValue<string>(), $"{job["attempt"]!.GetValue<int>()}");
        return (
            await Eventually.ValueAsync(
                () =>
                    Task.FromResult(
                        Receiver.Spans.SingleOrDefault(span =>
                            span.Name == "attempt" && span.Tags["temper.job.id"] == id && span.Tags["temper.job.attempt"] == attempt
                        )
                    ),
                span => span is not null
            )
        )!;
    }

    private Dictionary<string, string?> With(params (string Name, string Value)[] more)
    {
        var variables = Receiver.Environment.ToDictionary();
        foreach (var (name, value) in more)
            variables[name] = value;
        return variables;
    }
}

[CollectionDefinition(Name)]
public sealed class TelemetryCollection : ICollectionFixture<TelemetryFixture>
{
    public const string Name = "Telemetry";
}
