using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>One arm's losses − another's, by the seeds that both have.</summary>
/// <param name="Seeds">n.</param>
/// <param name="Mean">Positive: the first is worse.</param>
/// <param name="StandardDeviation">Of a single difference; null below two seeds.</param>
/// <param name="Degrees">Of freedom of that deviation.</param>
/// <param name="PValue">One-sided: how likely chance alone makes the first look worse by so much. 1 where nothing can be said.</param>
/// <param name="IsConstant">Whether all differences are the same, as far as the losses' resolution tells.</param>
public sealed record PairedDifference(int Seeds, double Mean, double? StandardDeviation, int Degrees, double PValue, bool IsConstant)
{
    /// <summary>By the pair's own spread alone.</summary>
    /// <param name="resolution">The smallest difference that two losses can have; 0 where they are continuous.</param>
    public static PairedDifference Of(
        IReadOnlyDictionary<long, double> first,
        IReadOnlyDictionary<long, double> second,
        double resolution = 0
    ) => Of(PairSpread.Of(first, second, resolution), 0, 0);

    /// <param name="pooledVariance">Of differences of this kind; the largest of it, the pair's own and the resolution's counts.</param>
    /// <param name="pooledDegrees">Of freedom of the pooled variance; the others have those of the pair.</param>
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

    /// <returns>Mean ± its standard error times the t that is exceeded with this probability; null below two seeds.</returns>
    public Interval? Interval(double tail)
    {
        if (StandardDeviation is not { } deviation)
            return null;
        var half = StudentT.Quantile(tail, Degrees) * deviation / Math.Sqrt(Seeds);
        return new(Mean - half, Mean + half);
    }
}
