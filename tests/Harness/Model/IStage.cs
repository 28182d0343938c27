using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Harness.Model;

/// <summary>The queue on which a script is played: the twin, or the queue in PostgreSQL.</summary>
public interface IStage
{
    /// <param name="revision">The revision of its spec; workers of this build know 1.</param>
    Task<Guid> SubmitAsync(int maxAttempts, int priority, bool needsCuda, int revision);

    /// <summary>Returns null when no job is waiting, or the worker drains or has no row.</summary>
    Task<(Guid Id, int Attempt)?> ClaimAsync(WorkerIdentity worker, bool hasCuda, int knownRevision);

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

    /// <exception cref="ForeignKeyException">The worker owns a job that it claimed meanwhile.</exception>
    Task LeaveAsync(WorkerIdentity worker);

    Task ForgetDeadWorkersAsync();

    /// <returns>Whether the worker has a row.</returns>
    Task<bool> DrainAsync(WorkerIdentity worker, bool drain);

    Task<bool> CommandAsync(JobVerb verb, Guid id, bool fresh);

    /// <summary>Every job, by id.</summary>
    Task<IReadOnlyDictionary<Guid, JobShape>> ShapesAsync();

    Task<IReadOnlyCollection<Guid>> WorkersAsync();

    /// <summary>
    /// Lets time pass. Returns the sightings in <paramref name="seen"/>, which were taken before, as they stand on the clock
    /// afterwards.
    /// </summary>
    Task<WorkerSighting[]> PassAsync(TimeSpan time, IEnumerable<WorkerSighting> seen);
}

/// <summary>A job as a script compares it.</summary>
/// <param name="IsClaimable">Whether the job is queued and its backoff is over.</param>
/// <param name="Epochs">The stored epochs, for example `1@1 2@3`: attempt 1 reported epoch 1, attempt 3 reported epoch 2.</param>
/// <param name="Attempts">The ended attempts, for example `1 lost, 2 handedback`.</param>
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
