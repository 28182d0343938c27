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
            accuracy[r] = Mean(hits, weights);
            nll[r] = Mean(logLosses, weights);
            brier[r] = Mean(briers, weights);
            gap[r] = Mean(confidences, weights) - accuracy[r];
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

    private static double Mean(double[] values, int[] weights)
    {
        var sum = 0.0;
        for (var i = 0; i < values.Length; i++)
            sum += weights[i] * values[i];
        return sum / values.Length;
    }
}
