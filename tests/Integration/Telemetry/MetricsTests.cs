using System.Net;

namespace Temper.Integration.Telemetry;

/// <summary>Tests what Prometheus reads of an API and a worker that trained a job.</summary>
[Collection(TelemetryCollection.Name)]
public sealed class MetricsTests(TelemetryFixture telemetry)
{
    [Fact]
    public async Task Worker_AfterAJob_ExportsItsOutcomeAndItsTraining()
    {
        var epochs = (await telemetry.Api.GetAsync($"/jobs/{telemetry.Job["id"]}/metrics"))["items"]!.AsArray();

        Assert.Equal(1, Sample(telemetry.OfWorker, "temper_attempts_total", "outcome=\"succeeded\""));
        Assert.Equal(0, Sample(telemetry.OfWorker, "temper_attempts_total", "outcome=\"failed\""));
        Assert.Equal(1, Sample(telemetry.OfWorker, "temper_claim_delay_seconds_count", "device=\"auto\""));
        Assert.Equal(2, Sample(telemetry.OfWorker, "temper_training_step_duration_seconds_count", "slot=\"0\""));
        Assert.Equal(
            epochs.Sum(epoch => 128 / epoch!["imagesPerSecond"]!.GetValue<double>()),
            Sample(telemetry.OfWorker, "temper_training_step_duration_seconds_sum", "slot=\"0\""),
            9
        );
        Assert.Equal(epochs[^1]!["ece"]!.GetValue<double>(), Sample(telemetry.OfWorker, "temper_training_validation_ece", "slot=\"0\""), 9);
        Assert.Equal(
            1,
            Sample(telemetry.OfWorker, "temper_worker_slots", "busy") + Sample(telemetry.OfWorker, "temper_worker_slots", "free")
        );
        Assert.True(Sample(telemetry.OfWorker, "temper_disk_free_bytes", "") > 0);
        Assert.Contains(telemetry.OfWorker["db_client_operation_duration_seconds"].Samples.Values, value => value > 0);
    }

    [Fact]
    public void Worker_WithACard_ExportsItsMemory()
    {
        const string card = "hw_id=\"GPU-a\",hw_model=\"NVIDIA H100 80GB HBM3\",hw_name=\"GPU 0\"";

        Assert.Equal(1000L << 20, Sample(telemetry.OfWorker, "hw_gpu_memory_usage_bytes", card));
        Assert.Equal(81559L << 20, Sample(telemetry.OfWorker, "hw_gpu_memory_limit_bytes", card));
    }

    [Fact]
    public void Api_WithQueuedJobsOfTwoTenants_ExportsTheQueueByTenantAndDevice()
    {
        foreach (var tenant in new[] { "default", "vision" })
        {
            Assert.Equal(1, Sample(telemetry.OfApi, "temper_queue_depth", $"device=\"cuda\",tenant=\"{tenant}\""));
            Assert.True(Sample(telemetry.OfApi, "temper_queue_oldest_age_seconds", $"device=\"cuda\",tenant=\"{tenant}\"") > 0);
        }
        Assert.Equal(0, Sample(telemetry.OfApi, "temper_queue_depth", "device=\"auto\""));
        Assert.Equal(0, Sample(telemetry.OfApi, "temper_queue_oldest_age_seconds", "device=\"cpu\""));
        Assert.Equal(1, Sample(telemetry.OfApi, "temper_workers", "state=\"alive\""));
        Assert.Equal(1, Sample(telemetry.OfApi, "temper_workers_slots", "state=\"alive\""));
        Assert.Equal(1, Sample(telemetry.OfApi, "temper_database_up", ""));
        Assert.True(Sample(telemetry.OfApi, "temper_database_size_bytes", "") > 1e6);
        Assert.Equal(2, Sample(telemetry.OfApi, "http_server_request_duration_seconds_count", "http_response_status_code=\"202\""));
    }

    [Fact]
    public async Task Otlp_WithAReceiver_GetsMetrics() =>
        await Eventually.TrueAsync(() => Task.FromResult(telemetry.Receiver.MetricRequests > 0));

    [Fact]
    public async Task Api_OnItsOwnPort_ServesNoMetrics() =>
        Assert.Equal(HttpStatusCode.NotFound, (await telemetry.Api.Http.GetAsync("/metrics")).StatusCode);

    /// <summary>The one sample of a metric whose labels contain a text.</summary>
    private static double Sample(IReadOnlyDictionary<string, Harness.Telemetry.Family> scrape, string name, string labels) =>
        Assert
            .Single(
                scrape.Values.SelectMany(family => family.Samples),
                sample => sample.Key.Split('{')[0] == name && sample.Key.Contains(labels)
            )
            .Value;
}
