using Temper.Domain.Studies;

namespace Temper.Store.Rows;

/// <summary>A study: a grid of jobs. It has no state of its own; its jobs have states.</summary>
public sealed class StudyRow
{
    public Guid Id { get; init; }

    /// <summary>Whose study it is.</summary>
    public string Tenant { get; init; } = null!;

    /// <summary>Order of submission. Lists page by it.</summary>
    public long Sequence { get; init; }

    /// <summary>The current spec, with all extensions.</summary>
    public required StudySpec Spec { get; init; }

    /// <summary>The spec as submitted. A repeated submission is compared with it.</summary>
    public required StudySpec Submitted { get; init; }

    /// <summary>The submitter's idempotency key: two submissions with one key make one study. Null without one.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>Whether retention spares the study and its jobs.</summary>
    public bool Pinned { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Seconds of the attempts of deleted jobs, which still count towards the budget.</summary>
    public double DeletedSeconds { get; init; }

    /// <summary>
    /// The transaction that stored the study or last deleted one of its jobs, for the order of events; null in rows of an older
    /// schema.
    /// </summary>
    public ulong? Changed { get; init; }

    /// <summary>
    /// Id of the uploaded data set; null for a data set that every installation has. PostgreSQL generates it from the spec.
    /// </summary>
    public string? Uploaded { get; init; }

    public List<ArmRow> Arms { get; init; } = [];
}
