using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Harness.Model;

/// <summary>Where a script is played: on the twin, or on the queue in PostgreSQL.</summary>
public interface IStage
{
    Task<Guid> SubmitAsync(int maxAttempts, int priority, bool needsCuda);

    /// <summary>Null: nothing is waiting.</summary>
    /// <exception cref="ForeignKeyException">The worker has no row.</exception>
    Task<(Guid Id, int Attempt)?> ClaimAsync(WorkerIdentity worker, bool hasCuda);

    Task<IReadOnlyDictionary<(Guid Id, int Attempt), StopRequest?>> HeartbeatAsync(
        WorkerIdentity worker,
        IReadOnlyCollection<(Guid Id, int Attempt)> known
    );

    Task<bool> ReportTrainingStartedAsync(Guid id, int attempt);

    Task<bool> ReportAsync(Guid id, int attempt, IReadOnlyList<int> epochs, int? checkpoint);

    Task<int?> ReadCheckpointAsync(Guid id);

    Task<bool> SucceedAsync(Guid id, int attempt);

    Task<bool> FailAsync(Guid id, int attempt, string reason);

    Task<bool> GiveBackAsync(Guid id, int attempt, string reason);

    Task<bool> HandBackAsync(Guid id, int attempt, string reason);

    Task SetPresenceAsync(WorkerIdentity worker, bool present);

    Task<IReadOnlyList<WorkerSighting>> WatchAsync(WorkerIdentity watcher);

    Task<IReadOnlyList<Guid>> RescueAsync(WorkerSighting lost, string reason);

    /// <exception cref="ForeignKeyException">It owns a job that was claimed meanwhile.</exception>
    Task LeaveAsync(WorkerIdentity worker);

    Task ForgetDeadWorkersAsync();

    Task<bool> CommandAsync(JobVerb verb, Guid id, bool fresh);

    /// <summary>Every job there is.</summary>
    Task<IReadOnlyDictionary<Guid, JobShape>> ShapesAsync();

    Task<IReadOnlyCollection<Guid>> WorkersAsync();

    /// <summary>Time passes. Sightings taken before are told in <paramref name="seen"/>, and returned as they stand on the clock
    /// then.</summary>
    Task<WorkerSighting[]> PassAsync(TimeSpan time, IEnumerable<WorkerSighting> seen);
}

/// <summary>A job as a script compares it.</summary>
/// <param name="IsClaimable">Queued, and not waiting for its backoff to end.</param>
/// <param name="Epochs">As in `1@1 2@3`: epoch 2 was reported by attempt 3.</param>
/// <param name="Attempts">As in `1 lost, 2 handedback`.</param>
public sealed record JobShape(
    JobState State,
    bool IsClaimable,
    int Attempt,
    int Failures,
    Guid? Owner,
    StopRequest? StopRequested,
    bool IsTraining,
    bool IsFinished,
    string? Epochs,
    int? Checkpoint,
    string? Attempts,
    string? Reason
);
