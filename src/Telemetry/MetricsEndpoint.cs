using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace Temper.Telemetry;

/// <summary>
/// Serves `/metrics` to Prometheus by a web server of its own, on a port of its own: it asks for no key, and the API's limits and
/// the load on the API do not affect it.
/// </summary>
internal sealed class MetricsEndpoint(IPEndPoint endpoint, MeterProvider metrics) : IHostedService, IAsyncDisposable
{
    /// <summary>An answer is kept this long, so a second reader costs nothing.</summary>
    private const int KeptMilliseconds = 1000;

    private WebApplication? server;

    public static void Configure(PrometheusAspNetCoreOptions options) => options.ScrapeResponseCacheDurationMilliseconds = KeptMilliseconds;

    public async Task StartAsync(CancellationToken cancellation)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(endpoint));
        builder.Services.AddRoutingCore();
        server = builder.Build();
        server.MapPrometheusScrapingEndpoint("/metrics", metrics, configureBranchedPipeline: null, optionsName: null).DisableHttpMetrics();
        await server.StartAsync(cancellation);
    }

    public Task StopAsync(CancellationToken cancellation) => server?.StopAsync(cancellation) ?? Task.CompletedTask;

    public ValueTask DisposeAsync() => server?.DisposeAsync() ?? default;
}
