using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Temper.Telemetry;

namespace Temper.Unit.Telemetry;

public sealed class TelemetryOptionsTests
{
    [Fact]
    public void AddTelemetry_WithoutSettings_AddsNothing()
    {
        var builder = Host.CreateEmptyApplicationBuilder(new());
        var before = builder.Services.ToList();

        Assert.False(builder.AddTelemetry("service", "Meter", serves: true, byTenant: []));
        Assert.Equal(before, builder.Services);
    }

    [Theory]
    [InlineData("Telemetry:PrometheusPort", "1")]
    [InlineData("Telemetry:PrometheusPort", "65535")]
    [InlineData(TelemetryOptions.OtlpEndpoint, "http://127.0.0.1:4318")]
    public void From_ASettingInItsRange_IsOn(string key, string value) => Assert.True(From((key, value)).IsOn);

    [Theory]
    [InlineData("Telemetry:PrometheusPort", "0")]
    [InlineData("Telemetry:PrometheusPort", "65536")]
    [InlineData("Telemetry:PrometheusPort", "many")]
    [InlineData("Telemetry:PrometheusAddress", "localhost")]
    [InlineData(TelemetryOptions.OtlpEndpoint, "collector")]
    public void From_ASettingOutOfItsRange_IsRefused(string key, string value) =>
        Assert.Throws<InvalidOperationException>(() => From((key, value)));

    [Fact]
    public void Endpoint_WithoutAnAddress_IsOnThisMachineOnly()
    {
        Assert.Equal("127.0.0.1:9464", $"{From(("Telemetry:PrometheusPort", "9464")).PrometheusEndpoint}");
        Assert.Equal(
            "0.0.0.0:9464",
            $"{From(("Telemetry:PrometheusPort", "9464"), ("Telemetry:PrometheusAddress", "0.0.0.0")).PrometheusEndpoint}"
        );
    }

    private static TelemetryOptions From(params (string Key, string Value)[] settings) =>
        TelemetryOptions.From(
            new ConfigurationBuilder()
                .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))
                .Build()
        );
}
