namespace Temper.Store.Rows;

/// <summary>The metrics of one epoch of one job; see <see cref="Domain.Jobs.EpochMetrics"/> for their meaning.</summary>
public sealed class EpochRow
{
    public Guid JobId { get; init; }
    public int Epoch { get; init; }

    /// <summary>The attempt that reported the epoch. An attempt that trains an epoch again replaces its row.</summary>
    public int Attempt { get; init; }

    public double TrainLoss { get; init; }
    public double TrainAccuracy { get; init; }
    public double ValidationLoss { get; init; }
    public double ValidationAccuracy { get; init; }
    public double Ece { get; init; }
    public double SignedGap { get; init; }
    public double LearningRate { get; init; }
    public double Seconds { get; init; }
    public double ImagesPerSecond { get; init; }
    public double? ValidationLossAfterTemperature { get; init; }

    /// <summary>The transaction that wrote the row, for the order of events; null in rows of an older schema.</summary>
    public ulong? Changed { get; init; }
}
