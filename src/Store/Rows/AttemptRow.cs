using Temper.Domain.Jobs;

namespace Temper.Store.Rows;

/// <summary>An attempt that is over. The job's own row holds the current attempt.</summary>
public sealed class AttemptRow
{
    public Guid JobId { get; init; }
    public int Attempt { get; init; }

    /// <summary>The worker's name; the worker's row is deleted some time after the worker ends.</summary>
    public required string Worker { get; init; }

    public DateTimeOffset ClaimedAt { get; init; }

    /// <summary>Null when the attempt ended before its first optimizer step.</summary>
    public DateTimeOffset? TrainingStartedAt { get; init; }

    public DateTimeOffset EndedAt { get; init; }
    public AttemptOutcome Outcome { get; init; }

    /// <summary>Why the attempt ended; null when it succeeded.</summary>
    public string? Reason { get; init; }

    /// <summary>A note for the reader besides the outcome and the reason; null without one.</summary>
    public string? Note { get; init; }

    /// <summary>The last lines of the runner's standard error; null when the runner did not cause the end.</summary>
    public string? ErrorOutput { get; init; }

    /// <inheritdoc cref="EpochRow.Changed"/>
    public ulong? Changed { get; init; }
}
