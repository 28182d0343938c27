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

    /// <param name="errors">The observed errors, with the bins from which they are computed.</param>
    /// <param name="resamples">At least 1.</param>
    public static ConsistencyTest Of(
        Predictions predictions,
        CalibrationErrors errors,
        int resamples,
        long seed,
        CancellationToken cancellation = default
    )
    {
        var random = new SplitMix64(seed, Stream);
        var draws = new Draws(predictions, errors);
        var (ece, mce, adaptive) = (new double[resamples], new double[resamples], new double[resamples]);
        var (classwise, l2, smooth, gap) = (new double[resamples], new double[resamples], new double[resamples], new double[resamples]);
        var confidence = predictions.Confidences.Average();
        var asLarge = 0;
        for (var r = 0; r < resamples; r++)
        {
            cancellation.ThrowIfCancellationRequested();
            draws.Next(random);
            ece[r] = CalibrationError.Expected(draws.EqualWidth);
            mce[r] = CalibrationError.Maximum(draws.EqualWidth);
            adaptive[r] = CalibrationError.Expected(draws.EqualMass);
            l2[r] = CalibrationError.L2(draws.EqualMass);
            classwise[r] = CalibrationError.Expected(draws.Classwise);
            smooth[r] = errors.Smooth.Value(draws.Hits);
            gap[r] = confidence - draws.Hits.Average();
            // Sums of the same terms in a different order may differ in the last digits.
            if (ece[r] >= errors.Ece - 1e-12)
                asLarge++;
        }
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

    /// <summary>Draws labels and counts the hits of all bins in one pass; the bin of a prediction never changes.</summary>
    private sealed class Draws
    {
        private readonly Predictions predictions;
        private readonly CalibrationErrors errors;
        private readonly int[] equalWidthBin;
        private readonly int[] equalMassBin;
        private readonly double[] shared;

        public Draws(Predictions predictions, CalibrationErrors errors)
        {
            (this.predictions, this.errors) = (predictions, errors);
            equalWidthBin = Array.ConvertAll(predictions.Confidences, confidence => errors.Binning.IndexOf(confidence, errors.Bins));
            equalMassBin = new int[predictions.Count];
            for (var i = 0; i < equalMassBin.Length; i++)
                equalMassBin[i] = BinSums.EqualMassBin(i, equalMassBin.Length, errors.EqualMass.Length);
            shared = new double[predictions.Count];
            (Hits, EqualWidth, EqualMass, Classwise) = (
                new double[predictions.Count],
                [.. errors.EqualWidth],
                [.. errors.EqualMass],
                [.. errors.Classwise.Sums]
            );
        }

        public double[] Hits { get; }
        public BinSums[] EqualWidth { get; }
        public BinSums[] EqualMass { get; }
        public BinSums[] Classwise { get; }

        public void Next(SplitMix64 random)
        {
            ClearHits(EqualWidth);
            ClearHits(EqualMass);
            ClearHits(Classwise);
            for (var i = 0; i < Hits.Length; i++)
            {
                var label = DrawLabel(i, random.NextDouble());
                Hit(ref Classwise[label * errors.Classwise.PerClass + errors.Classwise.Index[i * predictions.Classes + label]], 1);
                Hits[i] = label == predictions.Predicted[i] ? 1 : 0;
                if (Hits[i] == 1)
                    Hit(ref EqualWidth[equalWidthBin[i]], 1);
            }
            errors.Order.ShareTies(Hits, shared);
            for (var i = 0; i < shared.Length; i++)
                Hit(ref EqualMass[equalMassBin[i]], shared[i]);
        }

        /// <summary>Draws a label by inversion. The predicted class comes first because it is drawn most often.</summary>
        private int DrawLabel(int i, double u)
        {
            u -= predictions.Confidences[i];
            var (predicted, label) = (predictions.Predicted[i], predictions.Predicted[i]);
            for (var k = 0; u >= 0 && k < predictions.Classes; k++)
            {
                if (k == predicted)
                    continue;
                label = k;
                u -= predictions.Probabilities[i * predictions.Classes + k];
            }
            return label;
        }

        private static void Hit(ref BinSums bin, double hit) => bin = bin with { Hits = bin.Hits + hit };

        private static void ClearHits(BinSums[] bins)
        {
            for (var b = 0; b < bins.Length; b++)
                bins[b] = bins[b] with { Hits = 0 };
        }
    }
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
