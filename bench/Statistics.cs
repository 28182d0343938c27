using Temper.Domain.Studies;

namespace Temper.Bench;

internal static class Statistics
{
    public static double Median(this IEnumerable<double> values) => values.Quantile(0.5);

    /// <summary>The quantile, interpolated linearly between the two nearest values.</summary>
    public static double Quantile(this IEnumerable<double> values, double share)
    {
        var ordered = values.Order().ToList();
        var place = share * (ordered.Count - 1);
        var (below, above) = (ordered[(int)place], ordered[(int)Math.Ceiling(place)]);
        return below + (above - below) * (place - (int)place);
    }

    /// <summary>Formats the values as median (lowest–highest).</summary>
    public static string Spread(this IEnumerable<double> values, string format)
    {
        var list = values.ToList();
        return $"{list.Median().ToString(format)} ({list.Min().ToString(format)}–{list.Max().ToString(format)})";
    }

    /// <summary>The mean and the half width of its 95 % interval, by Student's t.</summary>
    public static (double Mean, double HalfWidth) Interval(this IReadOnlyList<double> values)
    {
        var mean = values.Average();
        var variance = values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1);
        return (mean, StudentT.Quantile(0.025, values.Count - 1) * Math.Sqrt(variance / values.Count));
    }
}
