using Temper.Domain.Datasets;

namespace Temper.Store.Rows;

/// <summary>
/// The figures of a succeeded job on test images that were corrupted in one way. <see cref="Domain.Jobs.SplitScores"/> explains them.
/// </summary>
public sealed class CorruptionScoresRow
{
    public Guid JobId { get; init; }
    public CorruptionKind Kind { get; init; }

    /// <summary>1 to <see cref="Corruption.MostStrength"/>.</summary>
    public int Strength { get; init; }

    public double Accuracy { get; init; }
    public double Nll { get; init; }
    public double Brier { get; init; }
    public double Ece { get; init; }
    public double SignedGap { get; init; }
    public double Aurc { get; init; }
    public double NllAfterTemperature { get; init; }
    public double EceAfterTemperature { get; init; }
    public double? DebiasedEce { get; init; }
    public double? SmoothEce { get; init; }
    public double? DebiasedEceAfterTemperature { get; init; }
    public double? SmoothEceAfterTemperature { get; init; }
    public double? Augrc { get; init; }
}
