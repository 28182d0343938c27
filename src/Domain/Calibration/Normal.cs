namespace Temper.Domain.Calibration;

/// <summary>Functions of the normal distribution that the calibration metrics need.</summary>
internal static class Normal
{
    /// <summary>The 97.5 % quantile: half the width of a 95 % interval, in standard deviations.</summary>
    public const double Z95 = 1.959963984540054;

    /// <summary>For |x| from this value on, |erf(x)| is 1 in float64.</summary>
    private const double Saturated = 6;

    /// <summary>erf(x), accurate to a few units in the last place of float64.</summary>
    /// <remarks>DLMF 7.6.2. All terms have the same sign, so there is no cancellation.</remarks>
    public static double Erf(double x)
    {
        if (Math.Abs(x) >= Saturated)
            return Math.Sign(x);
        double term = x,
            sum = x;
        for (var n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    /// <summary>P(X ≤ x) for X ~ N(0, 1).</summary>
    public static double Cdf(double x) => (1 + Erf(x / Math.Sqrt(2))) / 2;

    /// <summary>P(|X| ≤ t) for X ~ N(mean, deviation²); t ≥ 0, deviation above 0.</summary>
    public static double AbsoluteCdf(double t, double mean, double deviation)
    {
        var scale = deviation * Math.Sqrt(2);
        return (Erf((t - mean) / scale) + Erf((t + mean) / scale)) / 2;
    }

    /// <summary>E|X| for X ~ N(mean, deviation²).</summary>
    public static double AbsoluteMean(double mean, double deviation) =>
        deviation == 0
            ? Math.Abs(mean)
            : deviation * Math.Sqrt(2 / Math.PI) * Math.Exp(-mean * mean / (2 * deviation * deviation))
                + mean * Erf(mean / (deviation * Math.Sqrt(2)));

    /// <summary>E max |X_b| over independent X_b ~ N(means[b], deviations[b]²), as ∫ 1 − Π_b P(|X_b| ≤ t) dt.</summary>
    public static double AbsoluteMaximumMean(ReadOnlySpan<double> means, ReadOnlySpan<double> deviations)
    {
        // A certain value is one with deviation 0. Below the largest of these the integrand is 1. Above it, the integrand changes
        // only near the mean of some |X_b|, so the knots lie there.
        double certain = 0;
        var knots = new SortedSet<double>();
        for (var b = 0; b < means.Length; b++)
            if (deviations[b] == 0)
                certain = Math.Max(certain, Math.Abs(means[b]));
            else
                for (var z = -8.0; z <= 8; z += 0.5)
                    knots.Add(Math.Max(Math.Abs(means[b]) + z * deviations[b], 0));

        double integral = certain,
            from = certain;
        foreach (var to in knots.Where(knot => knot > certain))
        {
            integral += GaussLegendre(from, to, means, deviations);
            from = to;
        }
        return integral;
    }

    /// <summary>Integrates with five points, exact for polynomials up to degree 9.</summary>
    private static double GaussLegendre(double from, double to, ReadOnlySpan<double> means, ReadOnlySpan<double> deviations)
    {
        double inner = Math.Sqrt(5 - 2 * Math.Sqrt(10.0 / 7)) / 3,
            outer = Math.Sqrt(5 + 2 * Math.Sqrt(10.0 / 7)) / 3;
        double innerWeight = (322 + 13 * Math.Sqrt(70)) / 900,
            outerWeight = (322 - 13 * Math.Sqrt(70)) / 900;
        double centre = (from + to) / 2,
            half = (to - from) / 2;
        return half
            * (
                128.0 / 225 * Exceedance(centre, means, deviations)
                + innerWeight
                    * (Exceedance(centre - half * inner, means, deviations) + Exceedance(centre + half * inner, means, deviations))
                + outerWeight
                    * (Exceedance(centre - half * outer, means, deviations) + Exceedance(centre + half * outer, means, deviations))
            );
    }

    /// <summary>P(max |X_b| > t), for t above every value with deviation 0.</summary>
    private static double Exceedance(double t, ReadOnlySpan<double> means, ReadOnlySpan<double> deviations)
    {
        var below = 1.0;
        for (var b = 0; b < means.Length && below > 0; b++)
            if (deviations[b] > 0 && t < Math.Abs(means[b]) + 9 * deviations[b])
                below *= AbsoluteCdf(t, means[b], deviations[b]);
        return 1 - below;
    }
}
