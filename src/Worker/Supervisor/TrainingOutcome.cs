using Temper.Domain.Jobs;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>How an attempt ended on this worker.</summary>
internal abstract record TrainingOutcome
{
    internal sealed record Succeeded(JobResult Result, TrainedModel Model) : TrainingOutcome;

    /// <param name="WorthRetrying">False if another attempt would end in the same way.</param>
    /// <param name="ErrorOutput">The runner's last lines on standard error; null without any.</param>
    internal sealed record Failed(string Reason, bool WorthRetrying, string? ErrorOutput = null) : TrainingOutcome;

    internal sealed record Stopped(StopReason Reason) : TrainingOutcome;
}
