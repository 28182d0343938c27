using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Worker.Slots;

/// <summary>A claimed job while a slot works on it; other tasks may ask it to stop.</summary>
internal sealed class Attempt(ClaimedJob job)
{
    private readonly TaskCompletionSource<StopReason> stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource abandoned = new();

    public ClaimedJob Job { get; } = job;

    /// <summary>The runner's latest word; null before the first.</summary>
    public TrainingProgress? Progress { get; set; }

    /// <summary>Completes when somebody asks for a stop; the first reason stands.</summary>
    public Task<StopReason> StopAsked => stop.Task;

    /// <summary>Cancelled when a stop is asked for after which no checkpoint is wanted, also while another is under way.</summary>
    public CancellationToken Abandoned => abandoned.Token;

    public void AskToStop(StopReason reason)
    {
        stop.TrySetResult(reason);
        if (reason is not (StopReason.Paused or StopReason.ShuttingDown))
            abandoned.Cancel();
    }
}
