namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Notes that the attempt has its data on the device and begins its first optimizer step.</summary>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> ReportTrainingStartedAsync(ClaimedJob job, CancellationToken cancellationToken) =>
        WriteAsync($"UPDATE jobs SET training_started_at = clock_timestamp() WHERE {Held}", job, cancellationToken);
}
