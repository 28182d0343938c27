namespace Temper.Domain.Calibration.Measures;

/// <summary>
/// The ℓ2 calibration error of the confidence, √(Σ_b (n_b/N)·E[hit − confidence | b]²), over bins of equal mass, with an interval. The
/// square is estimated without bias by the mean of u_i·u_j over the pairs i ≠ j of a bin, u = hit − confidence. The interval's ends are
/// those of the square, not below 0, under a square root; it reaches 0 when the model may be calibrated.
/// </summary>
/// <param name="Value">The estimate; 0 when the estimated square is negative.</param>
/// <param name="Interval">95 % interval.</param>
/// <param name="Bins">Number of bins. Errors that cancel within a bin are not seen.</param>
/// <remarks>
/// Sun et al. 2024, arXiv:2408.08998. The estimator's variance is of order 1/N for a miscalibrated model and of order 1/N² for a
/// calibrated one. The paper chooses between both; this interval adds them, so that no choice is needed, and estimates the first without
/// the bias that would count the second twice.
/// </remarks>
public sealed record L2Interval(double Value, Interval Interval, int Bins)
{
    /// <param name="order">The order of the confidences. A run of ties stays in the bin of its first, whatever the images' order.</param>
    /// <param name="bins">At least 1.</param>
    /// <returns>Null when no bin has two images.</returns>
    public static L2Interval? Of(Predictions predictions, ConfidenceOrder order, int bins)
    {
        double n = predictions.Count,
            square = 0,
            first = 0,
            second = 0;
        var paired = false;
        foreach (var (count, sum, squares) in SumsOf(predictions, order, bins))
        {
            if (count < 2)
                continue;
            paired = true;
            var pairs = (sum * sum - squares) / ((double)count * (count - 1)); // mean of u_i·u_j
            var variance = (squares - sum * sum / count) / (count - 1);
            square += count / n * pairs;
            first += count / n * (4 * pairs * squares / count - 3 * pairs * pairs);
            second += count / (count - 1.0) * variance * variance;
        }
        if (!paired)
            return null;
        var half = Normal.Z95 * Math.Sqrt(Math.Max(first - square * square, 0) / n + 2 * second / (n * n));
        return new(Root(square), new(Root(square - half), Root(square + half)), bins);
    }

    private static double Root(double square) => Math.Sqrt(Math.Max(square, 0));

    /// <returns>Of each bin the number of images, Σ u and Σ u².</returns>
    private static (int Count, double Sum, double Squares)[] SumsOf(Predictions predictions, ConfidenceOrder order, int bins)
    {
        var sums = new (int Count, double Sum, double Squares)[bins];
        for (var tie = 0; tie + 1 < order.TieStarts.Length; tie++)
        {
            ref var bin = ref sums[BinSums.EqualMassBin(order.TieStarts[tie], order.Count, bins)];
            for (var i = order.TieStarts[tie]; i < order.TieStarts[tie + 1]; i++)
            {
                var gap = predictions.Hits[order.Index[i]] - predictions.Confidences[order.Index[i]];
                bin = (bin.Count + 1, bin.Sum + gap, bin.Squares + gap * gap);
            }
        }
        return sums;
    }
}
