using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>Student's t distribution with a whole number of degrees of freedom ν, and the power of tests that use it.</summary>
public static class StudentT
{
    /// <returns>P(T > t).</returns>
    /// <remarks>Abramowitz and Stegun 26.7.3 and 26.7.4: finite sums, exact up to rounding. Tails below 1e-16 become 0.</remarks>
    public static double Tail(double t, int degrees)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degrees, 1);
        var angle = Math.Atan(Math.Abs(t) / Math.Sqrt(degrees));
        var (sine, cosine) = Math.SinCos(angle);
        double term,
            sum;
        if (degrees % 2 == 1)
        {
            (term, sum) = (cosine, degrees == 1 ? 0 : cosine);
            for (var k = 3; k <= degrees - 2; k += 2)
                sum += term *= (k - 1.0) / k * cosine * cosine;
            sum = (angle + sine * sum) * 2 / Math.PI;
        }
        else
        {
            (term, sum) = (1, 1);
            for (var k = 2; k <= degrees - 2; k += 2)
                sum += term *= (k - 1.0) / k * cosine * cosine;
            sum *= sine;
        }
        var beyond = Math.Max((1 - sum) / 2, 0);
        return t >= 0 ? beyond : 1 - beyond;
    }

    /// <returns>The t that is exceeded with this probability.</returns>
    /// <param name="tail">Above 1e-12, at most 0.5.</param>
    public static double Quantile(double tail, int degrees)
    {
        if (!(tail is > 1e-12 and <= 0.5))
            throw new ArgumentOutOfRangeException(nameof(tail), tail, "Above 1e-12, at most 0.5.");
        double low = 0,
            high = 1;
        while (Tail(high, degrees) > tail)
            high *= 2;
        for (var step = 0; step < 200 && high - low > 1e-12 * high; step++)
        {
            var middle = (low + high) / 2;
            if (Tail(middle, degrees) > tail)
                low = middle;
            else
                high = middle;
        }
        return (low + high) / 2;
    }

    /// <summary>
    /// The probability that a test finds a true difference when it requires t above <paramref name="critical"/>.
    /// </summary>
    /// <param name="shift">The true difference, in standard errors.</param>
    /// <returns>P(T' > critical) of the noncentral t distribution, to about three digits.</returns>
    public static double Power(double critical, int degrees, double shift) =>
        Deviations(degrees, 4000).Sum(one => one.Weight * Normal.Cdf(shift - critical * one.Value));

    /// <summary>The distribution of an estimated standard deviation ÷ the true one, √(χ²/ν).</summary>
    /// <param name="degrees">ν; need not be whole.</param>
    /// <param name="steps">Number of values, evenly spaced.</param>
    /// <returns>Values with weights that sum to 1.</returns>
    internal static (double Value, double Weight)[] Deviations(double degrees, int steps)
    {
        var width = 8 / Math.Sqrt(2 * degrees);
        double from = Math.Max(0, 1 - width),
            step = (1 + width - from) / steps;
        var values = Enumerable.Range(0, steps).Select(i => from + (i + 0.5) * step).ToArray();
        var densities = Array.ConvertAll(values, s => Math.Exp((degrees - 1) * Math.Log(s) - degrees * (s * s - 1) / 2));
        var all = densities.Sum();
        return [.. values.Zip(densities, (value, density) => (value, density / all))];
    }
}
