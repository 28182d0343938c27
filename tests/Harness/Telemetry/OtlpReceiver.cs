using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Temper.Harness.Telemetry;

/// <summary>An HTTP server on a free port of this machine that receives traces and metrics by OTLP over HTTP.</summary>
public sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<ReceivedSpan> spans = new();
    private int metricRequests;

    private OtlpReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        app = builder.Build();
        app.MapPost("/v1/traces", TakeAsync);
        app.MapPost(
            "/v1/metrics",
            () =>
            {
                Interlocked.Increment(ref metricRequests);
                return Results.Bytes([], "application/x-protobuf");
            }
        );
    }

    /// <summary>Settings of a process that sends to this receiver, soon after each span.</summary>
    public IReadOnlyDictionary<string, string?> Environment =>
        new Dictionary<string, string?>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = app.Urls.Single(),
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "100",
            ["OTEL_METRIC_EXPORT_INTERVAL"] = "500",
        };

    public IReadOnlyList<ReceivedSpan> Spans => [.. spans];

    /// <summary>How often a process sent metrics.</summary>
    public int MetricRequests => Volatile.Read(ref metricRequests);

    public static async Task<OtlpReceiver> StartAsync()
    {
        var receiver = new OtlpReceiver();
        await receiver.app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private async Task<IResult> TakeAsync(HttpRequest request)
    {
        var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        foreach (var span in ReceivedSpan.Read(body.ToArray()))
            spans.Enqueue(span);
        return Results.Bytes([], "application/x-protobuf");
    }
}
