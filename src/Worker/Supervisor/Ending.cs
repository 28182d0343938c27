using Temper.Domain.Jobs;

namespace Temper.Worker.Supervisor;

/// <summary>How an attempt ended on this worker.</summary>
internal abstract record Ending
{
    internal sealed record Succeeded(JobResult Result, TrainedModel Model) : Ending;

    /// <param name="WorthRetrying">False where another attempt would end the same.</param>
    /// <param name="ErrorOutput">The runner's last lines on standard error; null without any.</param>
    internal sealed record Failed(string Reason, bool WorthRetrying, string? ErrorOutput = null) : Ending;

    internal sealed record Stopped(StopReason Reason) : Ending;
}

/// <summary>Why a worker stops an attempt before its own end.</summary>
internal enum StopReason
{
    /// <summary>Its user asked for that.</summary>
    Cancelled,

    /// <summary>Its user asked for that.</summary>
    Paused,

    /// <summary>It ran longer than its spec allows.</summary>
    TimedOut,

    /// <summary>The worker shuts down: the job goes back to the queue, nothing counted.</summary>
    ShuttingDown,

    /// <summary>The job was taken away from this worker: write nothing more.</summary>
    Lost,

    /// <summary>The database took a report for wrong.</summary>
    ReportRefused,
}
