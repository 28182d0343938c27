using Temper.Domain.Workers;

namespace Temper.Worker.Supervisor;

/// <summary>
/// A circuit breaker that keeps a broken device from failing every job in the queue. When the device's runners have failed
/// several different jobs in a row, the breaker sets the device aside and gives the reason. From time to time a slot probes: it
/// has a fresh runner train on blank images. If the probe passes, the device takes jobs on trial: until one succeeds, the next
/// failure sets it aside again, for twice as long.
/// </summary>
/// <param name="mostJobs">How many different jobs must fail in a row to set the device aside.</param>
/// <param name="probeAfter">Time from then to the first probe.</param>
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

    /// <summary>Why the device takes no jobs; null when it does.</summary>
    public string? SetAsideReason => reason;

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
            // While the device is set aside, failures of jobs that other slots still ran add nothing new.
            if (reason is not null || !(onTrial || failedJobs.Count >= mostJobs))
                return;
            reason = SetAside.Because(
                onTrial
                    ? "A job failed although a fresh runner had just trained well."
                    : $"{failedJobs.Count} different jobs failed in a row.",
                why
            );
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

    /// <returns>True if the caller must try a fresh runner now. Only one of several slots gets true.</returns>
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
