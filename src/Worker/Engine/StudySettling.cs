using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Temper.Store.Engine;

namespace Temper.Worker.Engine;

/// <summary>
/// Enqueues a job that settles a study after jobs of the study ended, once for all that end within a short time. If that is
/// lost, a job that runs every minute settles the study.
/// </summary>
internal sealed class StudySettling(JobStorage storage, ILogger log)
{
    private static readonly TimeSpan Together = TimeSpan.FromMilliseconds(200);

    private readonly Lock gate = new();
    private readonly HashSet<Guid> waiting = [];
    private Task enqueued = Task.CompletedTask;

    /// <summary>Records that a job of the study has ended.</summary>
    public void JobEnded(Guid study)
    {
        lock (gate)
        {
            if (waiting.Add(study))
                enqueued = Task.WhenAll(enqueued, EnqueueSoonAsync(study));
        }
    }

    /// <summary>Waits until everything is enqueued.</summary>
    public Task FlushAsync()
    {
        lock (gate)
            return enqueued;
    }

    private async Task EnqueueSoonAsync(Guid study)
    {
        await Task.Delay(Together);
        lock (gate)
            waiting.Remove(study); // a job that ends after this enqueues another settling
        try
        {
            new BackgroundJobClient(storage).Create(
                Job.FromExpression<Housekeeping>(housekeeping => housekeeping.SettleStudyAsync(study)),
                new EnqueuedState(EngineStorage.Ordinary)
            );
        }
        catch (Exception e)
        {
            log.LogWarning("Study {StudyId} is settled within a minute, because the job for it was not stored: {Reason}", study, e.Message);
        }
    }
}
