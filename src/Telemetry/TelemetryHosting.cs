using System.Reflection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Temper.Telemetry;

/// <summary>Turns traces and metrics on in a process of the service.</summary>
public static class TelemetryHosting
{
    /// <summary>The most series of a metric with labels of tenants; further ones would be added up without their labels.</summary>
    private const int SeriesByTenant = 20_000;

    /// <summary>
    /// Adds what the settings ask for. Without OTLP nothing makes spans, and without OTLP and Prometheus nothing reads a metric;
    /// then this method adds nothing.
    /// </summary>
    /// <param name="service">The name of the program in traces and metrics; OTEL_SERVICE_NAME overrides it.</param>
    /// <param name="name">The name of the program's own meter and source of spans.</param>
    /// <param name="serves">Whether the program answers requests.</param>
    /// <param name="byTenant">The names of the metrics that have labels of tenants.</param>
    /// <returns>Whether anything reads the program's metrics.</returns>
    /// <exception cref="InvalidOperationException">A setting is out of its range.</exception>
    public static bool AddTelemetry(
        this IHostApplicationBuilder builder,
        string service,
        string name,
        bool serves,
        IReadOnlyCollection<string> byTenant
    )
    {
        var options = TelemetryOptions.From(builder.Configuration);
        if (!options.IsOn)
            return false;
        var version = Assembly.GetEntryAssembly()!.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        var telemetry = builder
            .Services.AddOpenTelemetry()
            .ConfigureResource(resource =>
                resource.Clear().AddTelemetrySdk().AddService(service, serviceVersion: version).AddEnvironmentVariableDetector()
            )
            .WithMetrics(metrics =>
            {
                // System.Runtime is .NET's own meter: processor time, memory, collections of garbage.
                metrics.AddMeter(name, "System.Runtime").AddNpgsqlInstrumentation();
                // A process keeps the labels of every tenant that it has ever told apart, three to a tenant.
                metrics.AddView(instrument => byTenant.Contains(instrument.Name) ? new() { CardinalityLimit = SeriesByTenant } : null);
                if (serves)
                    metrics.AddAspNetCoreInstrumentation();
                if (options.SendsOtlp)
                    metrics.AddOtlpExporter();
                if (options.PrometheusEndpoint is not null)
                    metrics.AddPrometheusExporter(MetricsEndpoint.Configure);
            });
        if (options.SendsOtlp)
            telemetry.WithTracing(traces =>
            {
                if (serves)
                    traces.AddAspNetCoreInstrumentation(requests => requests.Filter = IsTraced);
                traces.AddSource(name).AddNpgsql().AddProcessor(new LoneStatements()).AddOtlpExporter();
            });
        if (options.PrometheusEndpoint is { } endpoint)
            builder.Services.AddHostedService(services => new MetricsEndpoint(endpoint, services.GetRequiredService<MeterProvider>()));
        return true;

        bool IsTraced(HttpContext request) =>
            !request.Request.Path.StartsWithSegments("/health") && request.Connection.LocalPort != options.PrometheusPort;
    }
}
