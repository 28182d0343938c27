namespace Temper.Domain.Jobs;

/// <summary>
/// The state of a job. The comment of each state says who moves a job out of it; docs/lifecycle.md has a diagram.
/// </summary>
public enum JobState
{
    /// <summary>
    /// The job waits for a free slot or for the end of its backoff. A worker claims it; its user may cancel, pause or delete it.
    /// </summary>
    Queued,

    /// <summary>
    /// A worker owns the job under its current attempt. That worker finishes the job or gives it back; if the worker is lost, any
    /// other worker rescues the job. Its user may request a cancel or a pause, which the worker carries out.
    /// </summary>
    Running,

    /// <summary>
    /// The user paused the job; its checkpoint is kept. Only its user moves it on: resumes, cancels or deletes it.
    /// </summary>
    Paused,

    /// <summary>Final: the model is trained and tested. Its user may delete the job.</summary>
    Succeeded,

    /// <summary>
    /// Final: an error that another attempt would repeat, no attempts left, or the time limit exceeded. Its user may retry or
    /// delete the job.
    /// </summary>
    Failed,

    /// <summary>
    /// Final: stopped at its user's request or by its study; the reported epochs are kept. Its user may retry or delete the job.
    /// </summary>
    Cancelled,
}

/// <summary>The actions of a user on a submitted job.</summary>
public enum JobVerb
{
    Cancel,
    Pause,
    Resume,
    Retry,
    Delete,
}

/// <summary>A request to stop a running job; its worker carries it out.</summary>
public enum StopRequest
{
    Cancel,
    Pause,
}

/// <summary>The transitions between states. Only the store's guarded updates make them.</summary>
public static class JobLifecycle
{
    /// <summary>Whether the service does nothing more with a job in this state; only its user can start it again.</summary>
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

    /// <summary>The states in which a verb has an effect. In the state that it leads to, the verb changes nothing.</summary>
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
