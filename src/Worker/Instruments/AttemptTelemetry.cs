using System.Diagnostics;
using Temper.Domain.Jobs;
using Temper.Store.Engine;
using Temper.Store.Queue;

namespace Temper.Worker.Instruments;

/// <summary>
/// The metrics and spans of one attempt. The supervisor makes them from the runner's reports: the runner sends none, so its steps
/// cost nothing. The attempt's span belongs to the trace of the request that submitted the job. A span of a part of the attempt is
/// made when the part has ended.
/// </summary>
internal sealed class AttemptTelemetry
{
    private readonly ClaimedJob job;
    private readonly KeyValuePair<string, object?> slot;
    private readonly Activity? span;
    private DateTimeOffset partBegan;

    private AttemptTelemetry(ClaimedJob job, KeyValuePair<string, object?> slot, Activity? span) =>
        (this.job, this.slot, this.span) = (job, slot, span);

    /// <summary>The attempt's span as a traceparent; null when it is not recorded.</summary>
    public string? Traceparent => span is { Recorded: true } ? span.Id : null;

    /// <summary>Begins the attempt's span and records how long the job waited.</summary>
    /// <param name="claimBegan">When the claim was sent.</param>
    /// <param name="number">Number of the slot.</param>
    public static AttemptTelemetry Claimed(ClaimedJob job, DateTimeOffset claimBegan, int number)
    {
        var slot = WorkerMeter.Slot(number);
        if (WorkerMeter.ClaimDelay.Enabled)
            WorkerMeter.ClaimDelay.Record(
                job.Trace.Waited.TotalSeconds,
                new KeyValuePair<string, object?>("device", Word(job.Spec.Device))
            );
        if (!WorkerMeter.Spans.HasListeners())
            return new(job, slot, null);
        ActivityContext.TryParse(job.Trace.Submission, null, isRemote: true, out var submission);
        ActivityLink[] links = ActivityContext.TryParse(job.Trace.Earlier, null, isRemote: true, out var earlier) ? [new(earlier)] : [];
        var span = WorkerMeter.Spans.StartActivity(
            "attempt",
            ActivityKind.Consumer,
            submission,
            [
                new("temper.job.id", job.Id.ToString()),
                new("temper.job.attempt", job.Attempt),
                new("temper.job.dataset", job.Spec.Dataset),
                new("temper.job.epochs", job.Spec.Epochs),
                new("temper.study.id", job.Study?.ToString()),
                new("temper.slot", number),
            ],
            links,
            claimBegan
        );
        var telemetry = new AttemptTelemetry(job, slot, span) { partBegan = claimBegan };
        telemetry.PartEnded("claim");
        return telemetry;
    }

    /// <summary>Makes what the caller does from here on part of the attempt's span: its statements and its lines of the log.</summary>
    public void Enter()
    {
        if (span is null)
            return;
        Activity.Current = span;
        partBegan = DateTimeOffset.UtcNow;
    }

    public void DataLoaded() => PartEnded("load data");

    public void EpochDone(EpochMetrics epoch)
    {
        if (epoch.ImagesPerSecond > 0)
            WorkerMeter.StepDuration.Record(job.Spec.BatchSize / epoch.ImagesPerSecond, slot);
        if (double.IsFinite(epoch.Ece))
            WorkerMeter.ValidationEce.Record(epoch.Ece, slot);
        if (span is not null)
            PartEnded(
                "epoch",
                new("temper.epoch", epoch.Epoch),
                new("temper.epoch.train.loss", epoch.TrainLoss),
                new("temper.epoch.validation.accuracy", epoch.ValidationAccuracy),
                new("temper.epoch.validation.ece", epoch.Ece),
                new("temper.epoch.rate", epoch.ImagesPerSecond)
            );
    }

    public void Evaluated() => PartEnded("evaluate");

    /// <summary>Begins the span of the statement that stores the end of the attempt.</summary>
    public Activity? Storing() => span is null ? null : WorkerMeter.Spans.StartActivity("store result");

    /// <summary>Counts the attempt and ends its span.</summary>
    public void Ended(AttemptResult result)
    {
        if (result.Outcome != WorkerMeter.Lost) // the worker that took the job counts it
            WorkerMeter.Attempts.Add(1, WorkerMeter.Outcome(result.Outcome));
        span?.SetTag("temper.attempt.outcome", result.Outcome);
        if (result.Outcome is "failed" or WorkerMeter.Lost)
            span?.SetStatus(ActivityStatusCode.Error, result.Reason);
        span?.Dispose();
    }

    /// <summary>Makes the span of a part of the attempt that began when the part before it ended.</summary>
    private void PartEnded(string name, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (span is null)
            return;
        using var part = WorkerMeter.Spans.StartActivity(name, ActivityKind.Internal, span.Context, tags.ToArray(), null, partBegan);
        partBegan = DateTimeOffset.UtcNow;
    }

    private static string Word(DeviceName device) => device.ToString().ToLowerInvariant();
}
