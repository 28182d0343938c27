using Temper.Domain.Jobs;

namespace Temper.Store.Rows;

/// <summary>A job. This row is also the job's only entry in the queue.</summary>
public sealed class JobRow
{
    public Guid Id { get; init; }

    /// <summary>Whose job it is.</summary>
    public string Tenant { get; init; } = null!;

    /// <summary>Order of submission. It orders jobs of equal priority, and lists page by it.</summary>
    public long Sequence { get; init; }

    public required JobSpec Spec { get; init; }

    /// <summary>The revision of the spec's format that a worker must know; see <see cref="Domain.Jobs.SpecRevision"/>.</summary>
    public int SpecRevision { get; init; }

    /// <summary>The submitter's idempotency key: two submissions of a tenant with one key make one job. Null without one.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>The job whose spec this one repeats; null when it repeats none.</summary>
    public Guid? Reproduces { get; init; }

    /// <summary>The study that the job belongs to; null outside a study.</summary>
    public Guid? StudyId { get; init; }

    /// <summary>The number of its arm in the study; null outside a study.</summary>
    public int? Arm { get; init; }

    /// <summary>The spec's seed; null outside a study.</summary>
    public long? Seed { get; init; }

    // PostgreSQL generates these columns from spec, so that a filter or the queue's order can use an index.
    public string Dataset { get; init; } = null!;
    public int Priority { get; init; }
    public string Device { get; init; } = null!;
    public string Tags { get; init; } = null!;

    /// <summary>
    /// Id of the uploaded data set; null for a data set that every installation has. Generated like those above.
    /// </summary>
    public string? Uploaded { get; init; }

    public JobState State { get; init; }

    /// <summary>The fencing token: each claim increases it, it never decreases, and every write of a worker names it.</summary>
    public int Attempt { get; init; }

    /// <summary>Increases whenever the job's epochs change.</summary>
    public int MetricsVersion { get; init; }

    /// <summary>
    /// Number of crashes, errors and lost workers, which <see cref="JobSpec.MaxAttempts"/> limits. A hand-back does not count.
    /// </summary>
    public int Failures { get; init; }

    /// <summary>The worker that owns the job; null unless running.</summary>
    public Guid? WorkerId { get; init; }

    /// <summary>Earliest time at which a worker may claim the job.</summary>
    public DateTimeOffset RunAt { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When a worker claimed the last attempt; null before the first claim.</summary>
    public DateTimeOffset? ClaimedAt { get; init; }

    /// <summary>When the last attempt had its data loaded and began its first optimizer step; null before that.</summary>
    public DateTimeOffset? TrainingStartedAt { get; init; }

    /// <summary>A note on the last attempt for the reader, such as that it started afresh; null without one.</summary>
    public string? AttemptNote { get; init; }

    public DateTimeOffset? FinishedAt { get; init; }

    /// <summary>The pending request to stop the running attempt; null without one.</summary>
    public StopRequest? StopRequested { get; init; }

    /// <summary>
    /// Progress of the running attempt, or of the attempt that was cancelled, paused or failed; null otherwise and before the
    /// first report.
    /// </summary>
    public TrainingProgress? Progress { get; init; }

    /// <summary>Null unless succeeded.</summary>
    public JobResult? Result { get; init; }

    /// <summary>Why the job is in this state; null when the state needs no explanation.</summary>
    public string? Reason { get; init; }

    /// <summary>
    /// The transaction that last changed state, stop request, reason or attempt, for the order of events; null in rows of an
    /// older schema. A trigger sets this column and the two below.
    /// </summary>
    public ulong? StateChanged { get; init; }

    /// <summary>When <see cref="StateChanged"/> was set; null in rows of an older schema.</summary>
    public DateTimeOffset? StateChangedAt { get; init; }

    /// <summary>
    /// The transaction that last changed what is known of the running attempt: its claim, the start of its training and its
    /// note. Null before the first claim.
    /// </summary>
    public ulong? AttemptChanged { get; init; }

    /// <summary>
    /// The request that submitted the job, in the form of the header traceparent (W3C Trace Context); null when no trace of it was
    /// recorded.
    /// </summary>
    public string? Traceparent { get; init; }

    /// <summary>
    /// The last attempt that began to train, in the same form; null when no trace of it was recorded, and before the first.
    /// </summary>
    public string? AttemptTraceparent { get; init; }

    /// <summary>Whether retention spares the job.</summary>
    public bool Pinned { get; init; }

    public WorkerRow? Worker { get; init; }
    public List<EpochRow> Epochs { get; init; } = [];
    public List<AttemptRow> Attempts { get; init; } = [];
}
