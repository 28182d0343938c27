using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Temper.Store.Engine;
using Temper.Store.Notifications;
using Temper.Worker.Instruments;
using Temper.Worker.Notifications;

namespace Temper.Worker.Engine;

/// <summary>The jobs that Hangfire runs to notify of ended jobs and studies, on this worker.</summary>
internal sealed class Notifying(JobStorage storage, NotificationQueue queue, NotificationOptions options, Posting posting, ILogger log)
    : INotifying
{
    /// <summary>Hangfire's schedule has whole seconds, and begins a job up to one second before its time.</summary>
    private static readonly TimeSpan ScheduleUnit = TimeSpan.FromSeconds(1);

    private readonly BackgroundJobClient client = new(storage);

    public async Task CollectJobAsync(Guid job) => Send(await queue.CollectJobAsync(job, CancellationToken.None));

    public async Task CollectStudyAsync(Guid study) => Send(await queue.CollectStudyAsync(study, CancellationToken.None));

    public async Task CollectAsync()
    {
        Send(await queue.CollectAsync(CancellationToken.None));
        Send(await queue.TakeOverdueAsync(CancellationToken.None));
    }

    public async Task SendAsync(Guid notification)
    {
        if (await queue.BeginAsync(notification, Posting.Longest, CancellationToken.None) is not { } attempt)
            return;
        var outcome = await posting.PostAsync(attempt);
        var wait = options.WaitAfter(attempt.Attempt);
        await queue.EndAsync(attempt, outcome, wait, CancellationToken.None);
        WorkerMeter.Notifications.Add(
            1,
            WorkerMeter.Outcome(
                outcome.Error is null ? "delivered"
                : wait is null ? "abandoned"
                : "retried"
            )
        );
        log.LogInformation(
            "Notification {Notification} try {Attempt}: {Outcome}",
            notification,
            attempt.Attempt,
            outcome.Error is null ? "delivered"
                : wait is null ? $"abandoned: {outcome.Error}"
                : outcome.Error
        );
        // Hangfire's own retries count those of one job, and another job may make the next try.
        if (outcome.Error is not null && wait is { } delay)
            Send(notification, new ScheduledState(delay + ScheduleUnit));
    }

    private void Send(IEnumerable<Guid> notifications)
    {
        // A notification whose Hangfire job is not stored here is overdue a minute later.
        foreach (var id in notifications)
            Send(id);
    }

    private void Send(Guid id, IState? when = null) =>
        client.Create(
            Job.FromExpression<INotifying>(notifying => notifying.SendAsync(id)),
            when ?? new EnqueuedState(EngineStorage.Notifications)
        );
}
