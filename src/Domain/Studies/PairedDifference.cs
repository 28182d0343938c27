using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>The difference between two arms' losses, first − second, paired by the seeds that both have.</summary>
/// <param name="Seeds">Number of common seeds, n.</param>
/// <param name="Mean">Mean difference; positive when the first arm is worse.</param>
/// <param name="StandardDeviation">Standard deviation of a single difference; null below two seeds.</param>
/// <param name="Degrees">Degrees of freedom of that deviation.</param>
/// <param name="PValue">One-sided probability that chance alone makes the first arm look worse by this much; 1 below two
/// seeds.</param>
/// <param name="IsConstant">Whether all differences are equal within the resolution of the losses.</param>
public sealed record PairedDifference(int Seeds, double Mean, double? StandardDeviation, int Degrees, double PValue, bool IsConstant)
{
    /// <summary>Uses the pair's own spread only.</summary>
    /// <param name="resolution">The smallest difference that two losses can have; 0 for continuous losses.</param>
    public static PairedDifference Of(
        IReadOnlyDictionary<long, double> first,
        IReadOnlyDictionary<long, double> second,
        double resolution = 0
    ) => Of(PairSpread.Of(first, second, resolution), 0, 0);

    /// <summary>Uses the largest of the pooled variance, the pair's own variance and the square of the resolution.</summary>
    /// <param name="pooledVariance">Variance of a difference, pooled over several pairs.</param>
    /// <param name="pooledDegrees">Degrees of freedom of the pooled variance; the other two have those of the pair.</param>
    internal static PairedDifference Of(PairSpread spread, double pooledVariance, int pooledDegrees)
    {
        if (spread.Seeds < 2)
            return new(spread.Seeds, spread.Mean, null, 0, 1, false);
        var (own, resolution) = (spread.SquaredDeviations / spread.Degrees, spread.Resolution * spread.Resolution);
        var alone = Math.Max(own, resolution);
        var (variance, degrees) = pooledVariance > alone ? (pooledVariance, pooledDegrees) : (alone, spread.Degrees);
        var deviation = Math.Sqrt(variance);
        var p = spread.Mean == 0 ? 0.5 : StudentT.Tail(spread.Mean * Math.Sqrt(spread.Seeds) / deviation, degrees);
        return new(spread.Seeds, spread.Mean, deviation, degrees, p, spread.Range < 0.5 * spread.Resolution);
    }

    /// <param name="tail">Probability that t exceeds the quantile, on one side.</param>
    /// <returns>Mean ± standard error · t quantile; null below two seeds.</returns>
    public Interval? Interval(double tail)
    {
        if (StandardDeviation is not { } deviation)
            return null;
        var half = StudentT.Quantile(tail, Degrees) * deviation / Math.Sqrt(Seeds);
        return new(Mean - half, Mean + half);
    }
}
