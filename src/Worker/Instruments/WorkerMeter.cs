using System.Diagnostics;
using System.Diagnostics.Metrics;
using Temper.Domain.Workers;

namespace Temper.Worker.Instruments;

/// <summary>
/// The worker's own metrics and its source of spans. Nothing is measured and no span is made while nobody listens.
/// docs/telemetry.md lists them.
/// </summary>
internal static class WorkerMeter
{
    public const string Name = "Temper.Worker";

    public const string Lost = "lost";

    public static readonly ActivitySource Spans = new(Name);

    private static readonly Meter Meter = new(Name);

    public static readonly Histogram<double> ClaimDelay = Meter.CreateHistogram(
        "temper.claim.delay",
        "s",
        "Time from claimable to claimed",
        advice: Buckets(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)
    );

    public static readonly Counter<long> Attempts = Meter.CreateCounter<long>("temper.attempts", "{attempt}", "Ended attempts by outcome");

    public static readonly Histogram<double> StepDuration = Meter.CreateHistogram(
        "temper.training.step.duration",
        "s",
        "Mean step, per epoch",
        advice: Buckets(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
    );

    public static readonly Gauge<double> ValidationEce = Meter.CreateGauge<double>(
        "temper.training.validation.ece",
        "1",
        "ECE of the last epoch"
    );

    public static readonly Counter<long> RunnerRestarts = Meter.CreateCounter<long>(
        "temper.runner.restarts",
        "{restart}",
        "Runners that died or were ended"
    );

    public static readonly Counter<long> Notifications = Meter.CreateCounter<long>(
        "temper.notifications",
        "{notification}",
        "Tries to notify by outcome"
    );

    /// <summary>Gives the counters their first value, so that a rate counts also the first event.</summary>
    public static void Begin()
    {
        foreach (var outcome in new[] { "succeeded", "failed", Lost, "handed_back", "paused", "cancelled" })
            Attempts.Add(0, Outcome(outcome));
        foreach (var outcome in new[] { "delivered", "retried", "abandoned" })
            Notifications.Add(0, Outcome(outcome));
        RunnerRestarts.Add(0);
    }

    /// <param name="rates">Images per second of each slot, null where it has no job; by the slots' numbers.</param>
    /// <param name="cards">The worker's cards by their latest sample; none on a worker without cards.</param>
    /// <param name="home">The folder whose disk keeps downloaded data sets.</param>
    public static void Observe(Func<IEnumerable<double?>> rates, Func<IReadOnlyList<WorkerDevice>> cards, string home)
    {
        Meter.CreateObservableGauge(
            "temper.worker.slots",
            () =>
            {
                var busy = rates().Select(rate => rate is not null).ToList();
                return new Measurement<long>[]
                {
                    new(busy.Count(isBusy => isBusy), new KeyValuePair<string, object?>("state", "busy")),
                    new(busy.Count(isBusy => !isBusy), new KeyValuePair<string, object?>("state", "free")),
                };
            },
            "{slot}",
            "Slots of this worker; a busy one has a job"
        );
        Meter.CreateObservableGauge(
            "temper.training.rate",
            () => rates().Select((rate, slot) => new Measurement<double>(rate ?? 0, Slot(slot))),
            "{image}/s",
            "Images per second"
        );
        // The semantic conventions say names, unit, attributes, and that these are up-down counters, which Prometheus reads as gauges.
        Meter.CreateObservableUpDownCounter(
            "hw.gpu.memory.usage",
            () => Memory(cards(), card => card.MemoryUsedMiB),
            "By",
            "GPU memory used by all processes"
        );
        Meter.CreateObservableUpDownCounter(
            "hw.gpu.memory.limit",
            () => Memory(cards(), card => card.MemoryTotalMiB),
            "By",
            "Size of the GPU memory"
        );
        Meter.CreateObservableGauge("temper.disk.free", () => Free(home), "By", "Free space for TEMPER_HOME");
    }

    public static KeyValuePair<string, object?> Outcome(string outcome) => new("outcome", outcome);

    public static KeyValuePair<string, object?> Slot(int slot) => new("slot", slot);

    /// <returns>A value for each card of which nvidia-smi tells the figure.</returns>
    private static IEnumerable<Measurement<long>> Memory(IEnumerable<WorkerDevice> cards, Func<WorkerDevice, int?> mib) =>
        from card in cards
        let known = mib(card)
        where known is not null
        select new Measurement<long>(
            known.Value * 1024L * 1024L,
            new("hw.id", card.Uuid),
            new("hw.name", $"GPU {card.Index}"),
            new("hw.model", card.Name)
        );

    private static IEnumerable<Measurement<long>> Free(string home)
    {
        try
        {
            var folder = home;
            while (!Directory.Exists(folder)) // it is made when the first file is kept
                folder = Path.GetDirectoryName(folder)!;
            return [new(new DriveInfo(folder).AvailableFreeSpace)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static InstrumentAdvice<double> Buckets(params double[] bounds) => new() { HistogramBucketBoundaries = bounds };
}
