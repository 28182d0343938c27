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
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between resamples.</exception>
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
        var (hits, confidences) = (order.Sort(predictions.Hits), order.Sort(predictions.Confidences));
        var (logLosses, briers) = (order.Sort(predictions.LogLosses), order.Sort(predictions.BrierScores));
        var harmonic = RiskCoverage.Harmonic(n);
        Parallel.For(
            0,
            resamples,
            Cores.Until(cancellation),
            () => new byte[n],
            (r, _, weights) =>
            {
                Draw(weights, random.After((long)r * n));
                (accuracy[r], nll[r], brier[r], gap[r]) = Means(hits, logLosses, briers, confidences, weights);
                gap[r] -= accuracy[r];
                aurc[r] = RiskCoverage.Aurc(order.TieStarts, hits, weights, harmonic);
                return weights;
            },
            _ => { }
        );
        return new(
            Interval.Middle95(accuracy),
            Interval.Middle95(nll),
            Interval.Middle95(brier),
            Interval.Middle95(gap),
            Interval.Middle95(aurc)
        );
    }

    /// <summary>
    /// Draws N images with replacement. Bytes of a million images stay in the cache of a core, and none overflows: an image is drawn
    /// 256 times with a probability below N/256!, which is below 10⁻⁴⁹⁹.
    /// </summary>
    private static void Draw(byte[] weights, SplitMix64 random)
    {
        Array.Clear(weights);
        for (var i = 0; i < weights.Length; i++)
            weights[random.NextInt32(weights.Length)]++;
    }

    /// <summary>The four weighted means in one pass: four sums at a time take as long as one.</summary>
    private static (double, double, double, double) Means(double[] a, double[] b, double[] c, double[] d, byte[] weights)
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
