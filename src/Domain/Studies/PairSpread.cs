namespace Temper.Domain.Studies;

/// <summary>Statistics of the differences between two arms' losses, over the seeds that both have.</summary>
/// <param name="SquaredDeviations">Σ (difference − mean)².</param>
/// <param name="Range">Largest − smallest difference.</param>
/// <param name="Resolution">The standard deviation below which the differences are equal up to rounding.</param>
internal readonly record struct PairSpread(int Seeds, double Mean, double SquaredDeviations, double Range, double Resolution)
{
    /// <summary>Relative precision of a loss: float32 logits carry seven digits.</summary>
    private const double RelativeTolerance = 1e-6;

    public int Degrees => Math.Max(0, Seeds - 1);

    /// <param name="resolution">The smallest difference that two losses can have; 0 for continuous losses.</param>
    public static PairSpread Of(IReadOnlyDictionary<long, double> first, IReadOnlyDictionary<long, double> second, double resolution)
    {
        long[] common = [.. first.Keys.Where(second.ContainsKey)];
        if (common.Length == 0)
            return default;
        var values = Array.ConvertAll(common, seed => first[seed] - second[seed]);
        var mean = values.Average();
        var largest = common.Max(seed => Math.Max(Math.Abs(first[seed]), Math.Abs(second[seed])));
        return new(
            values.Length,
            mean,
            values.Sum(value => (value - mean) * (value - mean)),
            values.Max() - values.Min(),
            Math.Max(resolution, RelativeTolerance * largest)
        );
    }
}
