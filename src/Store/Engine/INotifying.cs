using Hangfire;

namespace Temper.Store.Engine;

/// <summary>The Hangfire jobs that notify of ended jobs and studies. Workers implement them.</summary>
public interface INotifying
{
    /// <summary>
    /// Stores the notifications of what has ended, and enqueues <see cref="SendAsync"/> for each, and for those whose worker died.
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
