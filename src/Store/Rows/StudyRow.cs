using Temper.Domain.Studies;

namespace Temper.Store.Rows;

/// <summary>A study: a grid of jobs. Its state is that of its jobs.</summary>
public sealed class StudyRow
{
    public Guid Id { get; init; }

    /// <summary>Order of submission: lists page by it.</summary>
    public long Sequence { get; init; }

    /// <summary>As it stands, extensions included.</summary>
    public required StudySpec Spec { get; init; }

    /// <summary>As it was submitted: what a repeated submission is compared with.</summary>
    public required StudySpec Submitted { get; init; }

    /// <summary>The submitter's own name for this submission, so that sending it twice makes one study; null when it gave none.</summary>
    public string? IdempotencyKey { get; init; }

    /// <summary>Whether retention leaves it and its jobs alone.</summary>
    public bool Pinned { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Training time of the attempts of jobs that were deleted: they were trained for all that.</summary>
    public double DeletedSeconds { get; init; }

    public List<ArmRow> Arms { get; init; } = [];
}
