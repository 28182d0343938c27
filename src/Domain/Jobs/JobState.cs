namespace Temper.Domain.Jobs;

/// <summary>Where a job stands. Each state says who moves a job out of it; docs/lifecycle.md draws the whole.</summary>
public enum JobState
{
    /// <summary>Waits for a free slot, or for its backoff to end. A worker claims it; its user may cancel it.</summary>
    Queued,

    /// <summary>
    /// A worker owns it under its current attempt. That worker finishes it or gives it back; if the worker is lost, any
    /// other worker rescues it. Its user may ask for a cancel, which the worker carries out.
    /// </summary>
    Running,

    /// <summary>Final: trained and tested. Nobody moves it on.</summary>
    Succeeded,

    /// <summary>Final: an error no attempt can mend, its attempts used up, or its time limit passed. Nobody moves it on.</summary>
    Failed,

    /// <summary>Final: stopped at its user's request, epochs reported so far kept. Nobody moves it on.</summary>
    Cancelled,
}

/// <summary>Which moves between states exist. The store's guarded updates make them; nothing else does.</summary>
public static class JobLifecycle
{
    public static bool IsFinal(this JobState state) => MovesFrom(state).Count == 0;

    public static IReadOnlyList<JobState> MovesFrom(JobState state) => state switch
    {
        JobState.Queued => [JobState.Running, JobState.Cancelled],
        JobState.Running => [JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.Queued],
        _ => [],
    };

    /// <summary>The states from which a job can reach <paramref name="target"/> in one move.</summary>
    public static IReadOnlyList<JobState> StatesThatAllow(JobState target) =>
        [.. Enum.GetValues<JobState>().Where(state => MovesFrom(state).Contains(target))];
}
