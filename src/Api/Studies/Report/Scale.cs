namespace Temper.Api.Studies.Report;

/// <summary>A linear map from values to pixels.</summary>
/// <param name="From">The value at <paramref name="Start"/>.</param>
/// <param name="To">The value at <paramref name="End"/>, above <paramref name="From"/>.</param>
internal sealed record Scale(double From, double To, double Start, double End)
{
    private const double MostTicks = 5,
        LabelWidth = 26;

    /// <summary>Above the largest value a range would be infinite. Below the least range a step would be 0.</summary>
    private const double Largest = 1e307,
        LeastRange = 1e-300,
        LeastRelativeRange = 1e-9;

    /// <summary>
    /// Makes a scale that covers all finite values with a small margin. A single value, or several almost equal values, are in
    /// the middle.
    /// </summary>
    public static Scale Over(IEnumerable<double> values, double start, double end)
    {
        var (low, high) = (double.PositiveInfinity, double.NegativeInfinity);
        foreach (var value in values.Where(double.IsFinite))
            (low, high) = (Math.Min(low, value), Math.Max(high, value));
        if (low > high)
            return new(0, 1, start, end);
        (low, high) = (Math.Clamp(low, -Largest, Largest), Math.Clamp(high, -Largest, Largest));
        var magnitude = Math.Max(Math.Abs(low), Math.Abs(high));
        var air = high - low > Math.Max(LeastRange, magnitude * LeastRelativeRange) ? (high - low) / 20 : Math.Max(magnitude / 10, 1e-3);
        return new(low - air, high + air, start, end);
    }

    public double At(double value) => Start + (value - From) / (To - From) * (End - Start);

    public Scale ShiftedBy(double pixels) => this with { Start = Start + pixels, End = End + pixels };

    /// <summary>Returns round numbers within the scale, each with its text.</summary>
    /// <param name="leastStep">Smallest distance between two ticks: 1 for whole numbers.</param>
    public IEnumerable<(double Value, string Text)> Ticks(double leastStep = 0)
    {
        var atLeast = Math.Max((To - From) / MostTicks, leastStep);
        var power = Math.Pow(10, Math.Floor(Math.Log10(atLeast)));
        var step = new[] { 1, 2, 5, 10 }.Select(times => times * power).First(step => step >= atLeast);
        var decimals = Math.Max(0, -(int)Math.Floor(Math.Log10(step * 1.001))); // Log10 of a power of ten may be slightly too low
        for (var i = (long)Math.Ceiling(From / step); i * step <= To; i++)
            yield return (i * step, decimals <= 4 ? Numbers.Fixed(i * step, decimals) : Numbers.Short(i * step));
    }

    /// <summary>Returns the values as ticks. It omits a value whose label would overlap the one before.</summary>
    public IEnumerable<(double Value, string Text)> TicksAt(IEnumerable<double> values)
    {
        var last = double.NegativeInfinity;
        foreach (var value in values.Distinct().Order().Where(value => At(value) >= last + LabelWidth))
        {
            last = At(value);
            yield return (value, Numbers.Short(value));
        }
    }
}
