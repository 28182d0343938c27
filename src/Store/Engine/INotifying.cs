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

    /// <summary>Sends a notification once. It throws when that fails; then the worker's settings say when Hangfire runs it
    /// again.</summary>
    [JobDisplayName("Send notification {0}"), Queue(EngineStorage.Notifications), FailuresExpire]
    Task SendAsync(Guid notification);
}

/// <summary>A try to send a notification failed.</summary>
public sealed class NotificationFailedException(string message) : Exception(message);
