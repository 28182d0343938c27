using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>One arm's losses − another's, by the seeds that both have.</summary>
/// <param name="Seeds">n.</param>
/// <param name="Mean">Positive: the first is worse.</param>
/// <param name="StandardDeviation">Of a single difference; null below two seeds.</param>
/// <param name="Degrees">Of freedom of that deviation.</param>
/// <param name="PValue">One-sided: how likely chance alone makes the first look worse by so much. 1 where nothing can be said.</param>
public sealed record PairedDifference(int Seeds, double Mean, double? StandardDeviation, int Degrees, double PValue)
{
    /// <summary>By the pair's own spread alone.</summary>
    public static PairedDifference Of(IReadOnlyDictionary<long, double> first, IReadOnlyDictionary<long, double> second)
    {
        var spread = PairSpread.Of(first, second);
        return Of(spread, null, spread.Seeds - 1);
    }

    /// <param name="pooledVariance">Of differences of this kind; the pair's own counts where it is larger.</param>
    /// <param name="degrees">Of freedom of the larger.</param>
    internal static PairedDifference Of(PairSpread spread, double? pooledVariance, int degrees)
    {
        if (spread.Seeds < 2) return new(spread.Seeds, spread.Mean, null, 0, 1);
        var deviation = Math.Sqrt(Math.Max(spread.SquaredDeviations / (spread.Seeds - 1), pooledVariance ?? 0));
        // Differences that are all the same, as of shares of few images, have no spread to judge them by.
        var p = deviation == 0 ? 1 : StudentT.Tail(spread.Mean * Math.Sqrt(spread.Seeds) / deviation, degrees);
        return new(spread.Seeds, spread.Mean, deviation, degrees, p);
    }

    /// <returns>Mean ± its standard error times the t that is exceeded with this probability; null below two seeds.</returns>
    public Interval? Interval(double tail)
    {
        if (StandardDeviation is not { } deviation) return null;
        var half = StudentT.Quantile(tail, Degrees) * deviation / Math.Sqrt(Seeds);
        return new(Mean - half, Mean + half);
    }
}
