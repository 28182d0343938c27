namespace Temper.Worker.Supervisor;

/// <summary>
/// Keeps a sick worker from eating the queue: when its runners failed several different jobs in a row, it takes no more,
/// and says why. From time to time it tries a fresh runner on a training of blank images; when that passes it takes jobs
/// again, on trial: until one succeeds, the next failure suspends it once more, for twice as long.
/// </summary>
/// <param name="mostJobs">Different jobs in a row whose failure suspends the worker.</param>
/// <param name="probeAfter">How long until the first probe.</param>
internal sealed class Breaker(int mostJobs, TimeSpan probeAfter, TimeProvider time)
{
    private const int MostDoublings = 5;

    private readonly Lock gate = new();
    private readonly HashSet<Guid> failedJobs = [];
    private int probes;
    private long scheduledAt;
    private TimeSpan untilProbe;
    private bool onTrial;
    private volatile string? reason;

    /// <summary>Why the worker takes no jobs; null when it does.</summary>
    public string? SuspendedReason => reason;

    public void JobSucceeded()
    {
        lock (gate)
        {
            failedJobs.Clear();
            onTrial = false;
            probes = 0;
        }
    }

    public void JobFailed(Guid job, string why)
    {
        lock (gate)
        {
            failedJobs.Add(job);
            // What other slots had under way when it was suspended tells nothing new.
            if (reason is not null || !(onTrial || failedJobs.Count >= mostJobs))
                return;
            reason = onTrial
                ? $"A job failed although a fresh runner had just trained well: {why}"
                : $"{failedJobs.Count} different jobs failed in a row, the last one: {why}";
            failedJobs.Clear();
            ScheduleProbe();
        }
    }

    public void RunnerDidNotStart(string why)
    {
        lock (gate)
        {
            if (reason is null)
                ScheduleProbe();
            reason = $"No runner starts: {why}";
        }
    }

    /// <returns>Whether the caller is to try a fresh runner now. Of several slots that ask, one.</returns>
    public bool TryBeginProbe()
    {
        lock (gate)
        {
            if (reason is null || time.GetElapsedTime(scheduledAt) < untilProbe)
                return false;
            ScheduleProbe();
            return true;
        }
    }

    public void ProbePassed()
    {
        lock (gate)
            (reason, onTrial) = (null, true);
    }

    private void ScheduleProbe() =>
        (scheduledAt, untilProbe) = (time.GetTimestamp(), probeAfter * Math.Pow(2, Math.Min(probes++, MostDoublings)));
}
