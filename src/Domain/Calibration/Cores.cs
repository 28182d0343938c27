namespace Temper.Domain.Calibration;

/// <summary>The cores for the loops of reports, which all reports of a process share: they run one task for each core together.</summary>
internal static class Cores
{
    private static readonly TaskScheduler Scheduler = new ConcurrentExclusiveSchedulerPair(
        TaskScheduler.Default,
        Environment.ProcessorCount
    ).ConcurrentScheduler;

    public static ParallelOptions Until(CancellationToken cancellation) =>
        new() { CancellationToken = cancellation, TaskScheduler = Scheduler };
}
