using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Temper.Store.Engine;
using Temper.Store.Queue;

namespace Temper.Worker.Engine;

/// <summary>
/// Enqueues the jobs that follow the end of an attempt: one settles its study, others notify of the end. Each is enqueued once
/// for all ends within a short time. If that is lost, jobs that run every minute do the same.
/// </summary>
/// <param name="notifies">Whether the settings allow notifications.</param>
internal sealed class JobEnds(JobStorage storage, bool notifies, ILogger log)
{
    private static readonly TimeSpan Together = TimeSpan.FromMilliseconds(200);

    private readonly Lock gate = new();
    private readonly HashSet<string> waiting = [];
    private Task enqueued = Task.CompletedTask;

    /// <summary>Records that an attempt at the job has ended.</summary>
    public void Ended(ClaimedJob job)
    {
        if (job.Study is { } study)
            EnqueueSoon(
                $"Study {study} is settled",
                Job.FromExpression<Housekeeping>(housekeeping => housekeeping.SettleStudyAsync(study))
            );
        if (notifies && job.Spec.Notify is not null)
            EnqueueSoon($"Job {job.Id} is notified", Job.FromExpression<INotifying>(notifying => notifying.CollectJobAsync(job.Id)));
        if (notifies && job is { Study: { } of, StudyNotifies: true })
            EnqueueSoon($"Study {of} is notified", Job.FromExpression<INotifying>(notifying => notifying.CollectStudyAsync(of)));
    }

    /// <summary>Waits until everything is enqueued.</summary>
    public Task FlushAsync()
    {
        lock (gate)
            return enqueued;
    }

    private void EnqueueSoon(string what, Job job)
    {
        lock (gate)
        {
            if (waiting.Add(what))
                enqueued = Task.WhenAll(enqueued, EnqueueAsync(what, job));
        }
    }

    private async Task EnqueueAsync(string what, Job job)
    {
        await Task.Delay(Together);
        lock (gate)
            waiting.Remove(what); // an end after this enqueues another job
        try
        {
            new BackgroundJobClient(storage).Create(job, new EnqueuedState(EngineStorage.Ordinary));
        }
        catch (Exception e)
        {
            log.LogWarning("{What} within a minute, because the job for it was not stored: {Reason}", what, e.Message);
        }
    }
}
