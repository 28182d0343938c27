namespace Temper.Domain.Calibration.Calibrators;

/// <summary>A function that is linear between its knots, and constant before the first and after the last.</summary>
public sealed class PiecewiseLinear
{
    private readonly double[] at,
        values;

    /// <param name="knots">At least one, ascending.</param>
    internal PiecewiseLinear(IReadOnlyCollection<(double At, double Value)> knots) =>
        (at, values) = ([.. knots.Select(knot => knot.At)], [.. knots.Select(knot => knot.Value)]);

    /// <summary>Where the knots are, ascending.</summary>
    public ReadOnlySpan<double> At => at;

    /// <summary>The value at each knot.</summary>
    public ReadOnlySpan<double> Values => values;

    /// <summary>The value at x.</summary>
    public double Of(double x)
    {
        if (Array.BinarySearch(at, x) is var found && found >= 0)
            return values[found];
        var right = ~found;
        return right == 0 ? values[0]
            : right == at.Length ? values[^1]
            : values[right - 1] + (values[right] - values[right - 1]) * (x - at[right - 1]) / (at[right] - at[right - 1]);
    }
}
