namespace Temper.Worker.Slots;

/// <summary>Why a worker stops an attempt before it ends by itself.</summary>
internal enum StopReason
{
    /// <summary>The user cancelled the job.</summary>
    Cancelled,

    /// <summary>The user paused the job.</summary>
    Paused,

    /// <summary>The attempt ran longer than its spec allows.</summary>
    TimedOut,

    /// <summary>The worker shuts down. The job goes back to the queue, and the attempt does not count.</summary>
    ShuttingDown,

    /// <summary>This worker no longer holds the job and must write nothing more.</summary>
    Lost,

    /// <summary>The database refused a report.</summary>
    ReportRefused,
}
