using Temper.Domain.Jobs;
using Temper.Store.Queue;
using Temper.Worker.Instruments;

namespace Temper.Worker.Slots;

/// <summary>A claimed job while a slot works on it; other tasks may ask it to stop.</summary>
internal sealed class Attempt(ClaimedJob job, AttemptTelemetry telemetry)
{
    private readonly TaskCompletionSource<StopReason> stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource abandoned = new();

    public ClaimedJob Job { get; } = job;

    public AttemptTelemetry Telemetry { get; } = telemetry;

    /// <summary>The latest progress that the runner reported; null before the first report.</summary>
    public TrainingProgress? Progress { get; set; }

    /// <summary>Completes when someone asks for a stop; the first reason is kept.</summary>
    public Task<StopReason> StopAsked => stop.Task;

    /// <summary>Cancelled on a stop that needs no checkpoint, even after an earlier stop that needs one.</summary>
    public CancellationToken Abandoned => abandoned.Token;

    public void AskToStop(StopReason reason)
    {
        stop.TrySetResult(reason);
        if (reason is not (StopReason.Paused or StopReason.ShuttingDown))
            abandoned.Cancel();
    }
}
