using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Temper.Store.Engine;
using Temper.Store.Notifications;
using Temper.Worker.Notifications;

namespace Temper.Worker.Engine;

/// <summary>The jobs that Hangfire runs to notify of ended jobs and studies, on this worker.</summary>
internal sealed class Notifying(JobStorage storage, NotificationQueue queue, NotificationOptions options, Posting posting, ILogger log)
    : INotifying
{
    /// <summary>Tells Hangfire when a failed try is repeated. The waits come from the settings, so this is no attribute.</summary>
    public IJobFilterProvider Retries { get; } = new RetryProvider(options);

    public async Task CollectAsync()
    {
        var client = new BackgroundJobClient(storage);
        // A notification whose Hangfire job is not stored here is overdue a minute later.
        foreach (var id in await queue.CollectAsync(CancellationToken.None))
            Enqueue(client, id);
        foreach (var id in await queue.TakeOverdueAsync(CancellationToken.None))
            Enqueue(client, id);
    }

    public async Task SendAsync(Guid notification)
    {
        if (await queue.BeginAsync(notification, Posting.Longest, CancellationToken.None) is not { } attempt)
            return;
        var outcome = await posting.PostAsync(attempt);
        var wait = options.WaitAfter(attempt.Attempt);
        await queue.EndAsync(attempt, outcome, wait, CancellationToken.None);
        log.LogInformation(
            "Notification {Notification} try {Attempt}: {Outcome}",
            notification,
            attempt.Attempt,
            outcome.Error is null ? "delivered"
                : wait is null ? $"abandoned: {outcome.Error}"
                : outcome.Error
        );
        if (outcome.Error is { } error)
            throw new NotificationFailedException(error);
    }

    private static void Enqueue(BackgroundJobClient client, Guid id) =>
        client.Create(Job.FromExpression<INotifying>(notifying => notifying.SendAsync(id)), new EnqueuedState(EngineStorage.Notifications));

    private sealed class RetryProvider(NotificationOptions options) : IJobFilterProvider
    {
        private readonly JobFilter retries = new(
            new AutomaticRetryAttribute
            {
                Attempts = NotificationOptions.Tries - 1,
                LogEvents = false,
                DelayInSecondsByAttemptFunc = attempt => (int)options.WaitAfter((int)attempt)!.Value.TotalSeconds,
            },
            JobFilterScope.Method,
            order: null
        );

        public IEnumerable<JobFilter> GetFilters(Job job) => [retries];
    }
}
