using Temper.Domain.Calibration.Measures;

namespace Temper.Domain.Calibration;

/// <summary>The calibration of the model's probabilities on the test set at one temperature.</summary>
/// <param name="Temperature">T, by which the logits are divided; 1 leaves them unchanged. A cross-fitted assessment divides the
/// logits of each fold by a T of its own instead.</param>
/// <param name="Verdict">Null without resamples, which it needs.</param>
/// <param name="Accuracy">Share of top-1 hits; a temperature does not change it.</param>
/// <param name="Nll">Mean negative log-likelihood of the label, nats.</param>
/// <param name="Brier">Mean of Σ_k (p_k − [k is the label])², 0 to 2.</param>
/// <param name="SignedGap">Mean confidence − accuracy: positive is over-confident, negative under-confident.</param>
/// <param name="Aurc">Area under the risk–coverage curve: mean error rate of the most confident predictions, over all
/// coverages.</param>
/// <param name="Ece">Expected calibration error over bins of equal width.</param>
/// <param name="Mce">Largest |accuracy − confidence| of any bin of equal width.</param>
/// <param name="AdaptiveEce">Expected calibration error over bins of equal mass.</param>
/// <param name="ClasswiseEce">Mean over classes of the ECE of that class's probability.</param>
/// <param name="L2">Root mean squared |accuracy − confidence| over bins of equal mass.</param>
/// <param name="SmoothEce">Smooth ECE, without bins, at the bandwidth <paramref name="SmoothEceBandwidth"/>.</param>
/// <param name="NoiseFree">Errors against the true probabilities instead of labels; null when the data set does not know
/// them.</param>
/// <param name="Reliability">The bins of equal width, for a reliability diagram.</param>
public sealed record CalibrationAssessment(
    double Temperature,
    Verdict? Verdict,
    Estimate Accuracy,
    Estimate Nll,
    Estimate Brier,
    Estimate SignedGap,
    Estimate Aurc,
    ErrorEstimate Ece,
    ErrorEstimate Mce,
    ErrorEstimate AdaptiveEce,
    ErrorEstimate ClasswiseEce,
    ErrorEstimate L2,
    ErrorEstimate SmoothEce,
    double SmoothEceBandwidth,
    NoiseFree? NoiseFree,
    IReadOnlyList<ReliabilityBin> Reliability
)
{
    public static CalibrationAssessment Of(
        LabelledLogits test,
        double temperature,
        double[]? trueProbabilities,
        ReportOptions options,
        CancellationToken cancellation = default
    ) => Of(Predictions.Of(test, temperature, cancellation), temperature, trueProbabilities, options, cancellation);

    internal static CalibrationAssessment Of(
        Predictions predictions,
        double temperature,
        double[]? trueProbabilities,
        ReportOptions options,
        CancellationToken cancellation
    )
    {
        var errors = new CalibrationErrors(predictions, options.Bins, options.Binning, cancellation);
        var bootstrap =
            options.Resamples > 0 ? Bootstrap.Of(predictions, errors.Order, options.Resamples, options.Seed, cancellation) : null;
        var chance = options.Resamples > 0 ? ConsistencyTest.Of(predictions, errors, options.Resamples, options.Seed, cancellation) : null;
        var kernel = options.Resamples > 0 ? KernelCalibrationError.Of(predictions, options.Resamples, options.Seed, cancellation) : null;
        return new(
            temperature,
            bootstrap is null || chance is null
                ? null
                : Calibration.Verdict.Of(predictions, errors.Ece, bootstrap.SignedGap, chance, kernel),
            new(predictions.Accuracy, bootstrap?.Accuracy),
            new(predictions.Nll, bootstrap?.Nll),
            new(predictions.Brier, bootstrap?.Brier),
            new(predictions.SignedGap, bootstrap?.SignedGap),
            new(RiskCoverage.Aurc(errors.Order, predictions.Hits), bootstrap?.Aurc),
            new(errors.Ece, CalibrationError.DebiasedExpected(errors.EqualWidth), chance?.Ece),
            new(CalibrationError.Maximum(errors.EqualWidth), CalibrationError.DebiasedMaximum(errors.EqualWidth), chance?.Mce),
            new(CalibrationError.Expected(errors.EqualMass), CalibrationError.DebiasedExpected(errors.EqualMass), chance?.AdaptiveEce),
            new(errors.Classwise.Expected, errors.Classwise.DebiasedExpected, chance?.ClasswiseEce),
            new(CalibrationError.L2(errors.EqualMass), CalibrationError.DebiasedL2(errors.EqualMass), chance?.L2),
            new(errors.SmoothEce, null, chance?.SmoothEce),
            errors.Smooth.Bandwidth,
            trueProbabilities is null ? null : Calibration.NoiseFree.Of(predictions, trueProbabilities, options),
            ReliabilityBin.Of(errors.EqualWidth, options.Bins)
        );
    }
}

/// <summary>A mean over images, or AURC, with its interval.</summary>
/// <param name="Interval">95 % bootstrap interval; null without resamples.</param>
public sealed record Estimate(double Value, Interval? Interval);

/// <summary>A calibration error, which is never negative and biased upwards.</summary>
/// <param name="Value">The usual estimate.</param>
/// <param name="Debiased">The estimate with part of its upward bias removed, or all of it if the bins are truly miscalibrated;
/// null when no such estimate is known.</param>
/// <param name="Chance">The error that a perfectly calibrated model would show on as many images; null without resamples.</param>
public sealed record ErrorEstimate(double Value, double? Debiased, Chance? Chance);

/// <summary>
/// Errors in which the true probability of the predicted class replaces each hit, so that they contain no noise from the
/// labels.
/// </summary>
/// <param name="Ece">ECE over the report's bins of equal width.</param>
/// <param name="SignedGap">Mean confidence − mean true probability of the predicted class.</param>
public sealed record NoiseFree(double Ece, double SignedGap)
{
    internal static NoiseFree Of(Predictions predictions, double[] trueProbabilities, ReportOptions options) =>
        new(
            CalibrationError.Expected(BinSums.EqualWidth(predictions.Confidences, trueProbabilities, options.Bins, options.Binning)),
            predictions.Confidences.Average() - trueProbabilities.Average()
        );
}
