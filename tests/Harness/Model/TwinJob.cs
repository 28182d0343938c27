using Temper.Domain.Jobs;

namespace Temper.Harness.Model;

/// <summary>A row of `jobs`, with the rows of other tables that belong to it.</summary>
public sealed class TwinJob
{
    public required Guid Id { get; init; }
    public required long Sequence { get; init; }
    public int Priority { get; init; }
    public bool NeedsCuda { get; init; }
    public int SpecRevision { get; init; }
    public int MaxAttempts { get; init; }

    public JobState State { get; set; }
    public int Attempt { get; set; }
    public int Failures { get; set; }
    public Guid? WorkerId { get; set; }
    public StopRequest? StopRequested { get; set; }
    public DateTimeOffset RunAt { get; set; }
    public DateTimeOffset? ClaimedAt { get; set; }
    public DateTimeOffset? TrainingStartedAt { get; set; }
    public DateTimeOffset? FinishedAt { get; set; }
    public string? Reason { get; set; }

    /// <summary>Rows of `epochs`, in order of epoch: each epoch with the attempt that reported it.</summary>
    public List<(int Epoch, int Attempt)> Epochs { get; } = [];

    /// <summary>The row of `checkpoints`; the queue does not interpret the value.</summary>
    public int? Checkpoint { get; set; }

    /// <summary>Rows of `attempts`, in the order in which they ended.</summary>
    public List<(int Attempt, AttemptOutcome Outcome)> Attempts { get; } = [];
}
