using Hangfire;

namespace Temper.Store.Engine;

/// <summary>The Hangfire jobs that notify of ended jobs and studies. Workers implement them.</summary>
public interface INotifying
{
    /// <summary>Stores the notification of a job that has ended, and enqueues <see cref="SendAsync"/> for it.</summary>
    [JobDisplayName("Notify of the end of job {0}"), AutomaticRetry(Attempts = 5, DelaysInSeconds = [2, 10, 60]), FailuresExpire]
    Task CollectJobAsync(Guid job);

    /// <summary>The same for a study, if all its jobs have ended.</summary>
    [JobDisplayName("Notify of the end of study {0}"), AutomaticRetry(Attempts = 5, DelaysInSeconds = [2, 10, 60]), FailuresExpire]
    Task CollectStudyAsync(Guid study);

    /// <summary>
    /// The same for every job and study, and enqueues <see cref="SendAsync"/> for the notifications whose worker died.
    /// </summary>
    [JobDisplayName("Notify of what has ended"), AutomaticRetry(Attempts = 5, DelaysInSeconds = [2, 10, 60]), FailuresExpire]
    Task CollectAsync();

    /// <summary>
    /// Tries once to send a notification, if a try is due. When that fails, it schedules the next try as the worker's settings say.
    /// </summary>
    [JobDisplayName("Send notification {0}"), Queue(EngineStorage.Notifications)]
    [AutomaticRetry(Attempts = 5, DelaysInSeconds = [2, 10, 60]), FailuresExpire]
    Task SendAsync(Guid notification);
}
