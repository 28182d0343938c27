namespace Temper.Domain.Calibration;

/// <summary>A closed range of values.</summary>
public readonly record struct Interval(double Low, double High)
{
    /// <summary>The middle 95 % of the draws.</summary>
    /// <param name="draws">Sorted in place.</param>
    public static Interval Middle95(double[] draws)
    {
        Array.Sort(draws);
        return new(Quantile(draws, 0.025), Quantile(draws, 0.975));
    }

    /// <summary>The 95 % interval of a share, from <paramref name="hits"/> of <paramref name="count"/>; Wilson 1927.</summary>
    public static Interval Wilson(double hits, int count)
    {
        double n = count,
            share = hits / n,
            z2 = Normal.Z95 * Normal.Z95;
        var centre = (share + z2 / (2 * n)) / (1 + z2 / n);
        var half = Normal.Z95 / (1 + z2 / n) * Math.Sqrt(Math.Max(share * (1 - share), 0) / n + z2 / (4 * n * n));
        return new(Math.Max(centre - half, 0), Math.Min(centre + half, 1));
    }

    /// <summary>Interpolates linearly between the two nearest order statistics, as NumPy does by default.</summary>
    private static double Quantile(double[] sorted, double share)
    {
        var at = share * (sorted.Length - 1);
        var left = (int)at;
        return left + 1 == sorted.Length ? sorted[left] : sorted[left] + (at - left) * (sorted[left + 1] - sorted[left]);
    }
}
