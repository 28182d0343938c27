namespace Temper.Domain.Calibration.Measures;

/// <summary>The mean of independent values, with its standard error.</summary>
/// <param name="Error">s/√N with the deviation of N − 1 degrees of freedom; NaN for one value.</param>
internal readonly record struct MeanWithError(double Mean, double Error)
{
    public Interval? Interval95 => double.IsFinite(Error) ? new Interval(Mean - Normal.Z95 * Error, Mean + Normal.Z95 * Error) : null;

    public static MeanWithError Of(ReadOnlySpan<double> values)
    {
        var (sum, squares) = (0.0, 0.0);
        foreach (var value in values)
            sum += value;
        var mean = sum / values.Length;
        foreach (var value in values)
            squares += (value - mean) * (value - mean);
        return new(mean, Math.Sqrt(squares / (values.Length - 1) / values.Length));
    }
}
