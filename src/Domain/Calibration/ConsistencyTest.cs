namespace Temper.Domain.Calibration;

/// <summary>The calibration errors that chance alone would give if the model were perfectly calibrated.</summary>
/// <param name="PValue">Share of resamples whose ECE is at least the observed one; the observation counts as a resample.</param>
/// <remarks>
/// Each resample draws labels from the model's probabilities and keeps predictions and bins. Bröcker and Smith 2007;
/// Vaicenavicius et al. 2019, arXiv:1902.06977.
/// </remarks>
public sealed record ConsistencyTest(
    double PValue,
    Chance Ece,
    Chance Mce,
    Chance AdaptiveEce,
    Chance ClasswiseEce,
    Chance L2,
    Chance SmoothEce,
    Chance SignedGap
)
{
    private const ulong Stream = 2;

    /// <summary>
    /// Resamples that are drawn together, unless the largest table of their hits would then have more numbers than this. The
    /// probabilities of an image are computed once for all of them.
    /// </summary>
    private const int LeastTogether = 8,
        MostTogether = 64,
        LargestTable = 2 << 20;

    /// <param name="errors">The observed errors, with the bins from which they are computed.</param>
    /// <param name="resamples">At least 1.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between images.</exception>
    public static ConsistencyTest Of(
        Predictions predictions,
        CalibrationErrors errors,
        int resamples,
        long seed,
        CancellationToken cancellation = default
    )
    {
        var random = new SplitMix64(seed, Stream);
        var (ece, mce, adaptive) = (new double[resamples], new double[resamples], new double[resamples]);
        var (classwise, l2, smooth, gap) = (new double[resamples], new double[resamples], new double[resamples], new double[resamples]);
        var confidence = predictions.Confidences.Average();
        var cells = new EqualMassCells(errors);
        // No figure depends on the batches, so there may be one for each core.
        var each = Math.Max(LeastTogether, (resamples + Environment.ProcessorCount - 1) / Environment.ProcessorCount);
        var together = Math.Clamp(LargestTable / errors.Classwise.Sums.Length, 1, Math.Min(MostTogether, each));
        var batches = (resamples + together - 1) / together;
        Parallel.For(0, batches, Cores.Until(cancellation), Draw);

        void Draw(int batch)
        {
            var (first, end) = (resamples * batch / batches, resamples * (batch + 1) / batches);
            var draws = new LabelDraws(predictions, errors, cells, random, first, end - first, cancellation);
            for (var r = first; r < end; r++)
            {
                var (equalWidth, equalMass) = (draws.EqualWidth(r), draws.EqualMass(r));
                ece[r] = CalibrationError.Expected(equalWidth);
                mce[r] = CalibrationError.Maximum(equalWidth);
                adaptive[r] = CalibrationError.Expected(equalMass);
                l2[r] = CalibrationError.L2(equalMass);
                classwise[r] = CalibrationError.Expected(draws.Classwise(r));
                smooth[r] = errors.Smooth.Value(draws.OnGrid(r));
                gap[r] = confidence - equalWidth.Sum(bin => bin.Hits) / predictions.Count;
            }
        }

        // Sums of the same terms in a different order may differ in the last digits.
        var asLarge = ece.Count(drawn => drawn >= errors.Ece - 1e-12);
        return new(
            PValueOf(asLarge, resamples),
            Chance.Of(ece),
            Chance.Of(mce),
            Chance.Of(adaptive),
            Chance.Of(classwise),
            Chance.Of(l2),
            Chance.Of(smooth),
            Chance.Of(gap)
        );
    }

    internal static double PValueOf(int asLarge, int resamples) => (1.0 + asLarge) / (1 + resamples);
}

/// <summary>The distribution of an error by chance alone under perfect calibration.</summary>
/// <param name="Mean">Mean of the error.</param>
/// <param name="Band">The middle 95 %.</param>
/// <param name="Limit">The error exceeds this value in at most 5 % of cases; a test at that level rejects larger errors. Null
/// when there are too few draws to reject anything.</param>
public sealed record Chance(double Mean, Interval Band, double? Limit)
{
    /// <param name="draws">At least one; sorted in place.</param>
    public static Chance Of(double[] draws)
    {
        var band = Interval.Middle95(draws); // sorts them
        // The largest number of draws that may reach the observed error while the p-value stays below the level.
        var above = (int)(Verdict.Level * (1 + draws.Length));
        while (above >= 0 && ConsistencyTest.PValueOf(above, draws.Length) >= Verdict.Level)
            above--;
        return new(draws.Average(), band, above < 0 ? null : draws[^(above + 1)]);
    }
}
