using Temper.Domain.Jobs;

namespace Temper.Store.Rows;

/// <summary>An attempt that is over; the one under way is in the job's own row.</summary>
public sealed class AttemptRow
{
    public Guid JobId { get; init; }
    public int Attempt { get; init; }

    /// <summary>The worker's name: its row does not outlive it.</summary>
    public required string Worker { get; init; }

    public DateTimeOffset ClaimedAt { get; init; }

    /// <summary>Null when it never came to its first optimizer step.</summary>
    public DateTimeOffset? TrainingStartedAt { get; init; }

    public DateTimeOffset EndedAt { get; init; }
    public AttemptOutcome Outcome { get; init; }

    /// <summary>Null when it succeeded.</summary>
    public string? Reason { get; init; }

    /// <summary>What a reader should know of it beside how it ended; null where there is nothing to say.</summary>
    public string? Note { get; init; }

    /// <summary>The last lines of its runner's standard error; null where the runner is not to blame.</summary>
    public string? ErrorOutput { get; init; }
}
