using System.Net;
using Microsoft.Extensions.Configuration;

namespace Temper.Telemetry;

/// <summary>
/// Settings of the metrics' endpoint, from the configuration section `Telemetry`, and whether traces and metrics are sent by OTLP.
/// </summary>
public sealed class TelemetryOptions
{
    /// <summary>The variable of OpenTelemetry that names the receiver. Its other variables are read by its exporter.</summary>
    public const string OtlpEndpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Port of the endpoint that Prometheus reads. 1 to 65535; null for no endpoint.</summary>
    public int? PrometheusPort { get; init; }

    /// <summary>The address that this port is bound to. 0.0.0.0 and [::] stand for all.</summary>
    public string PrometheusAddress { get; init; } = "127.0.0.1";

    /// <summary>Whether traces and metrics are sent to a receiver.</summary>
    public bool SendsOtlp { get; private init; }

    public bool IsOn => SendsOtlp || PrometheusPort is not null;

    public IPEndPoint? PrometheusEndpoint => PrometheusPort is { } port ? new(IPAddress.Parse(PrometheusAddress), port) : null;

    /// <exception cref="InvalidOperationException">A setting is out of its range.</exception>
    public static TelemetryOptions From(IConfiguration configuration)
    {
        var section = configuration.GetSection("Telemetry");
        var defaults = new TelemetryOptions();
        var options = new TelemetryOptions
        {
            PrometheusPort = section.GetValue<int?>(nameof(PrometheusPort)),
            PrometheusAddress = section.GetValue(nameof(PrometheusAddress), defaults.PrometheusAddress)!,
            SendsOtlp = configuration[OtlpEndpoint] is { Length: > 0 },
        };
        if (options.PrometheusPort is < 1 or > IPEndPoint.MaxPort)
            throw new InvalidOperationException($"Telemetry:PrometheusPort must be 1 to 65535, not {options.PrometheusPort}.");
        if (!IPAddress.TryParse(options.PrometheusAddress, out _))
            throw new InvalidOperationException(
                $"Telemetry:PrometheusAddress must be an IP address of this machine, not {options.PrometheusAddress}."
            );
        if (options.SendsOtlp && !Uri.TryCreate(configuration[OtlpEndpoint], UriKind.Absolute, out _))
            throw new InvalidOperationException($"{OtlpEndpoint} must be a URL, not {configuration[OtlpEndpoint]}.");
        return options;
    }
}
