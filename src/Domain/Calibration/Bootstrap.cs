namespace Temper.Domain.Calibration;

/// <summary>
/// Percentile bootstrap intervals (95 %) of the metrics for which they are valid: means over images, and AURC. Each resample
/// draws images with replacement; the temperature is not fitted again.
/// </summary>
/// <remarks>
/// Efron 1979. Not valid for binned errors: these are at least 0 and biased upwards, so their resamples miss the true value.
/// </remarks>
public sealed record Bootstrap(Interval Accuracy, Interval Nll, Interval Brier, Interval SignedGap, Interval Aurc)
{
    private const ulong Stream = 1;

    /// <param name="resamples">At least 1.</param>
    public static Bootstrap Of(
        Predictions predictions,
        ConfidenceOrder order,
        int resamples,
        long seed,
        CancellationToken cancellation = default
    )
    {
        var n = predictions.Count;
        var random = new SplitMix64(seed, Stream);
        var (accuracy, nll, brier, gap, aurc) = (
            new double[resamples],
            new double[resamples],
            new double[resamples],
            new double[resamples],
            new double[resamples]
        );
        var (hits, confidences) = (Sorted(predictions.Hits, order), Sorted(predictions.Confidences, order));
        var (logLosses, briers) = (Sorted(predictions.LogLosses, order), Sorted(predictions.BrierScores, order));
        var harmonic = RiskCoverage.Harmonic(n);
        var weights = new int[n];
        for (var r = 0; r < resamples; r++)
        {
            cancellation.ThrowIfCancellationRequested();
            Array.Clear(weights);
            for (var i = 0; i < n; i++)
                weights[random.NextInt32(n)]++;
            (accuracy[r], nll[r], brier[r], gap[r]) = Means(hits, logLosses, briers, confidences, weights);
            gap[r] -= accuracy[r];
            aurc[r] = RiskCoverage.Aurc(order, predictions.Hits, weights, harmonic);
        }
        return new(
            Interval.Middle95(accuracy),
            Interval.Middle95(nll),
            Interval.Middle95(brier),
            Interval.Middle95(gap),
            Interval.Middle95(aurc)
        );
    }

    private static double[] Sorted(double[] values, ConfidenceOrder order) => Array.ConvertAll(order.Index, i => values[i]);

    /// <summary>The four weighted means in one pass: four sums at a time take as long as one.</summary>
    private static (double, double, double, double) Means(double[] a, double[] b, double[] c, double[] d, int[] weights)
    {
        double sumA = 0,
            sumB = 0,
            sumC = 0,
            sumD = 0;
        for (var i = 0; i < weights.Length; i++)
        {
            double weight = weights[i];
            sumA += weight * a[i];
            sumB += weight * b[i];
            sumC += weight * c[i];
            sumD += weight * d[i];
        }
        return (sumA / weights.Length, sumB / weights.Length, sumC / weights.Length, sumD / weights.Length);
    }
}
