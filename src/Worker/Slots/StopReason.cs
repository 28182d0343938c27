namespace Temper.Worker.Slots;

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
