namespace Temper.Domain.Jobs;

/// <summary>Where a job stands. Each state says who moves a job out of it; docs/lifecycle.md draws the whole.</summary>
public enum JobState
{
    /// <summary>Waits for a free slot, or for its backoff to end. A worker claims it; its user may cancel, pause or delete it.</summary>
    Queued,

    /// <summary>
    /// A worker owns it under its current attempt. That worker finishes it or gives it back; if the worker is lost, any
    /// other worker rescues it. Its user may ask for a cancel or a pause, which the worker carries out.
    /// </summary>
    Running,

    /// <summary>Set aside by its user, its checkpoint kept. Its user resumes, cancels or deletes it; nobody else moves it on.</summary>
    Paused,

    /// <summary>Final: trained and tested. Its user may delete it.</summary>
    Succeeded,

    /// <summary>
    /// Final: an error no attempt can mend, its attempts used up, or its time limit passed. Its user may retry or delete
    /// it.
    /// </summary>
    Failed,

    /// <summary>Final: stopped at its user's request, epochs reported so far kept. Its user may retry or delete it.</summary>
    Cancelled,
}

/// <summary>What a user may do to a job, besides submitting it.</summary>
public enum JobVerb
{
    Cancel,
    Pause,
    Resume,
    Retry,
    Delete,
}

/// <summary>What a running job was asked to do by its user; its worker carries it out.</summary>
public enum StopRequest
{
    Cancel,
    Pause,
}

/// <summary>Which moves between states exist. The store's guarded updates make them; nothing else does.</summary>
public static class JobLifecycle
{
    /// <summary>Final states end a job for the service: only its user can begin it again.</summary>
    public static bool IsFinal(this JobState state) => state is JobState.Succeeded or JobState.Failed or JobState.Cancelled;

    public static IReadOnlyList<JobState> MovesFrom(JobState state) =>
        state switch
        {
            JobState.Queued => [JobState.Running, JobState.Paused, JobState.Cancelled],
            JobState.Running => [JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.Queued, JobState.Paused],
            JobState.Paused => [JobState.Queued, JobState.Cancelled],
            JobState.Failed or JobState.Cancelled => [JobState.Queued],
            _ => [],
        };

    /// <summary>The states in which a verb has an effect. In the state it leads to, it is harmless.</summary>
    public static IReadOnlyList<JobState> StatesThatAllow(JobVerb verb) =>
        verb switch
        {
            JobVerb.Cancel => [JobState.Queued, JobState.Running, JobState.Paused],
            JobVerb.Pause => [JobState.Queued, JobState.Running],
            JobVerb.Resume => [JobState.Paused],
            JobVerb.Retry => [JobState.Failed, JobState.Cancelled],
            JobVerb.Delete => [JobState.Queued, JobState.Paused, JobState.Succeeded, JobState.Failed, JobState.Cancelled],
            _ => throw new ArgumentOutOfRangeException(nameof(verb), verb, null),
        };
}
