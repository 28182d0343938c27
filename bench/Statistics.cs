namespace Temper.Bench;

internal static class Statistics
{
    public static double Median(this IEnumerable<double> values) => values.Quantile(0.5);

    /// <summary>Between the two nearest values, in proportion.</summary>
    public static double Quantile(this IEnumerable<double> values, double share)
    {
        var ordered = values.Order().ToList();
        var place = share * (ordered.Count - 1);
        var (below, above) = (ordered[(int)place], ordered[(int)Math.Ceiling(place)]);
        return below + (above - below) * (place - (int)place);
    }

    /// <summary>Median (lowest–highest).</summary>
    public static string Spread(this IEnumerable<double> values, string format)
    {
        var list = values.ToList();
        return $"{list.Median().ToString(format)} ({list.Min().ToString(format)}–{list.Max().ToString(format)})";
    }

    /// <summary>Mean ± the 95 % interval's half width, by Student's t.</summary>
    public static (double Mean, double HalfWidth) Interval(this IReadOnlyList<double> values)
    {
        // Two-sided 5 % points for 1 to 9 degrees of freedom.
        double[] t = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
        var mean = values.Average();
        var variance = values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1);
        return (mean, t[values.Count - 2] * Math.Sqrt(variance / values.Count));
    }
}
