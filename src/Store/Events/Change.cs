using Temper.Domain.Jobs;
using Temper.Store.Studies;

namespace Temper.Store.Events;

/// <summary>A change that clients hear of.</summary>
/// <param name="Key">Its place in the order of all changes.</param>
/// <param name="Position">How far a client has read that got this change last.</param>
public abstract record Change(EventKey Key, Position Position);

/// <summary>A change of one job.</summary>
/// <param name="Study">The study that the job belongs to; null outside a study.</param>
/// <param name="Tenant">Whose job it is.</param>
public abstract record JobChange(EventKey Key, Position Position, Guid Job, Guid? Study, string Tenant) : Change(Key, Position);

/// <summary>The job's present state, which it has since <paramref name="At"/>.</summary>
public sealed record StateChange(
    EventKey Key,
    Position Position,
    Guid Job,
    Guid? Study,
    string Tenant,
    JobState State,
    StopRequest? StopRequested,
    string? Reason,
    int Attempt,
    DateTimeOffset At
) : JobChange(Key, Position, Job, Study, Tenant);

/// <summary>An attempt; <see cref="Rows.AttemptRow"/> explains its figures. The outcome is null while it runs.</summary>
public sealed record AttemptChange(
    EventKey Key,
    Position Position,
    Guid Job,
    Guid? Study,
    string Tenant,
    string Worker,
    AttemptOutcome? Outcome,
    string? Reason,
    DateTimeOffset ClaimedAt,
    DateTimeOffset? TrainingStartedAt,
    DateTimeOffset? EndedAt,
    string? Note,
    string? ErrorOutput
) : JobChange(Key, Position, Job, Study, Tenant);

/// <summary>The metrics of an epoch.</summary>
public sealed record EpochChange(EventKey Key, Position Position, Guid Job, Guid? Study, string Tenant, EpochMetrics Metrics)
    : JobChange(Key, Position, Job, Study, Tenant);

/// <summary>The number of a study's jobs in each state, after a job changed its state, was added or was deleted.</summary>
public sealed record StudyChange(EventKey Key, Position Position, StudySummary Study) : Change(Key, Position);

/// <summary>The progress of a running attempt; it has no place in the order of changes.</summary>
public sealed record Progress(Guid Job, Guid? Study, string Tenant, TrainingProgress Training);

/// <summary>Some of the changes after a position, in order; there may be none although more follow.</summary>
/// <param name="End">The position after them.</param>
/// <param name="HasMore">Whether more changes follow that were there at the time of the read.</param>
public sealed record Changes(IReadOnlyList<Change> Items, Snapshot End, bool HasMore);
