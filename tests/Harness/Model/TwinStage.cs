using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Harness.Model;

/// <summary>
/// The twin as a stage. The clock advances by 1 ms at each reading, and each backoff is in the middle of its spread.
/// </summary>
public sealed class TwinStage : IStage
{
    private readonly HashSet<Guid> present = [];
    private DateTimeOffset now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public TwinStage() => Queue = new(() => now = now.AddMilliseconds(1), () => 0.5);

    public TwinQueue Queue { get; }

    /// <summary>How long a queued job still waits for its backoff to end.</summary>
    public TimeSpan Backoff(Guid? id) => RunAt(id) is { } runAt && runAt > now ? runAt - now : TimeSpan.Zero;

    /// <summary>The time from which a queued job may be claimed; null for any other job.</summary>
    public DateTimeOffset? RunAt(Guid? id) => id is not null && Queue.Find(id.Value) is { State: JobState.Queued } job ? job.RunAt : null;

    public Task<Guid> SubmitAsync(int maxAttempts, int priority, bool needsCuda, int revision)
    {
        var id = Guid.NewGuid();
        Queue.Submit(id, maxAttempts, priority, needsCuda, revision);
        return Task.FromResult(id);
    }

    public Task<(Guid Id, int Attempt)?> ClaimAsync(WorkerIdentity worker, bool hasCuda, int knownRevision) =>
        Task.FromResult(Queue.Claim(worker.Id, hasCuda, knownRevision));

    public Task<IReadOnlyDictionary<(Guid Id, int Attempt), StopRequest?>> HeartbeatAsync(
        WorkerIdentity worker,
        IReadOnlyCollection<(Guid Id, int Attempt)> known
    ) => Task.FromResult(Queue.Heartbeat(worker.Id, known));

    public Task<bool> ReportTrainingStartedAsync(Guid id, int attempt) => Task.FromResult(Queue.ReportTrainingStarted(id, attempt));

    public Task<bool> ReportAsync(Guid id, int attempt, IReadOnlyList<int> epochs, int? checkpoint) =>
        Task.FromResult(Queue.Report(id, attempt, epochs, checkpoint));

    public Task<int?> ReadCheckpointAsync(Guid id) => Task.FromResult(Queue.ReadCheckpoint(id));

    public Task<bool> SucceedAsync(Guid id, int attempt) => Task.FromResult(Queue.Succeed(id, attempt));

    public Task<bool> FailAsync(Guid id, int attempt, string reason) => Task.FromResult(Queue.Fail(id, attempt, reason));

    public Task<bool> GiveBackAsync(Guid id, int attempt, string reason) => Task.FromResult(Queue.GiveBack(id, attempt, reason));

    public Task<bool> HandBackAsync(Guid id, int attempt, string reason) => Task.FromResult(Queue.HandBack(id, attempt, reason));

    public Task SetPresenceAsync(WorkerIdentity worker, bool isPresent)
    {
        if (isPresent)
            present.Add(worker.Id);
        else
            present.Remove(worker.Id);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<WorkerSighting>> WatchAsync(WorkerIdentity watcher) =>
        Task.FromResult(Queue.Watch(watcher.Id, present.Contains));

    public Task<IReadOnlyList<Guid>> RescueAsync(WorkerSighting lost, string reason) => Task.FromResult(Queue.Rescue(lost, reason));

    public Task LeaveAsync(WorkerIdentity worker)
    {
        Queue.HandBackAll(worker.Id);
        Queue.DeleteWorker(worker.Id);
        return Task.CompletedTask;
    }

    public Task ForgetDeadWorkersAsync()
    {
        Queue.ForgetDeadWorkers();
        return Task.CompletedTask;
    }

    public Task<bool> DrainAsync(WorkerIdentity worker, bool drain) =>
        Task.FromResult(drain ? Queue.DrainWorker(worker.Id) : Queue.ResumeWorker(worker.Id));

    public Task<bool> CommandAsync(JobVerb verb, Guid id, bool fresh) =>
        Task.FromResult(
            verb switch
            {
                JobVerb.Cancel => Queue.Cancel(id),
                JobVerb.Pause => Queue.Pause(id),
                JobVerb.Resume => Queue.Resume(id),
                JobVerb.Retry => Queue.Retry(id, fresh),
                _ => Queue.Delete(id),
            }
        );

    public Task<IReadOnlyDictionary<Guid, JobShape>> ShapesAsync() =>
        Task.FromResult<IReadOnlyDictionary<Guid, JobShape>>(
            Queue.Jobs.ToDictionary(
                job => job.Id,
                job => new JobShape(
                    job.State,
                    job.State == JobState.Queued && job.RunAt <= now,
                    job.Attempt,
                    job.Failures,
                    job.WorkerId,
                    job.StopRequested,
                    job.TrainingStartedAt is not null,
                    job.FinishedAt is not null,
                    job.Epochs.Count == 0 ? null : string.Join(' ', job.Epochs.Select(row => $"{row.Epoch}@{row.Attempt}")),
                    job.Checkpoint,
                    job.Attempts.Count == 0
                        ? null
                        : string.Join(", ", job.Attempts.Select(row => $"{row.Attempt} {row.Outcome.ToString().ToLowerInvariant()}")),
                    job.Reason
                )
            )
        );

    public Task<IReadOnlyCollection<Guid>> WorkersAsync() => Task.FromResult<IReadOnlyCollection<Guid>>([.. Queue.Heartbeats.Keys]);

    public Task<WorkerSighting[]> PassAsync(TimeSpan time, IEnumerable<WorkerSighting> seen)
    {
        now += time;
        return Task.FromResult(seen.ToArray());
    }
}
