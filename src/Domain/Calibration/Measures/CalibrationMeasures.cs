using Temper.Domain.Calibration.Calibrators;

namespace Temper.Domain.Calibration.Measures;

/// <summary>Measures of a report beyond its main figures. docs/measures.md says what each answers.</summary>
/// <param name="Refinement">The NLL as refinement plus calibration.</param>
/// <param name="MaxProbability">Selective classification by the largest probability of the model as trained.</param>
/// <param name="MaxLogitNorm">Selective classification by the largest logit over the norm of the logits; null for two classes.</param>
/// <param name="Before">Measures of the model as trained.</param>
/// <param name="After">Measures with the logits divided by the temperature, as in the report's `after`.</param>
/// <param name="Conformal">Sets of classes that contain the label of 90 % of images; null with too few images.</param>
/// <param name="Calibrators">A comparison of calibrators; null with too few images.</param>
/// <param name="Missing">Why a measure is null, by its name.</param>
public sealed record CalibrationMeasures(
    Refinement Refinement,
    SelectiveRisk MaxProbability,
    LogitNorm? MaxLogitNorm,
    MeasuredPredictions Before,
    MeasuredPredictions After,
    ConformalComparison? Conformal,
    CalibratorComparison? Calibrators,
    IReadOnlyDictionary<string, string> Missing
)
{
    /// <param name="verdicts">Those of the report; null without resamples.</param>
    internal static CalibrationMeasures Of(
        LabelledLogits? validation,
        LabelledLogits test,
        Predictions before,
        Predictions after,
        (Verdict? Before, Verdict? After) verdicts,
        ReportOptions options,
        CancellationToken cancellation
    )
    {
        var measures = new CalibrationMeasures(
            Refinement.Of(before, after),
            SelectiveRisk.Of(before.Confidences, before.Hits),
            LogitNorm.Of(validation, test, before.Hits, cancellation),
            MeasuredPredictions.Of(before, verdicts.Before?.Kernel, options, cancellation),
            MeasuredPredictions.Of(after, verdicts.After?.Kernel, options, cancellation),
            ConformalComparison.Of(validation, test, options.Seed, cancellation),
            CalibratorComparison.Of(validation, test, options.Seed, cancellation),
            new Dictionary<string, string>()
        );
        return measures with { Missing = measures.WhyMissing(options) };
    }

    private SortedDictionary<string, string> WhyMissing(ReportOptions options)
    {
        (string Name, object? Measure, string Why)[] measures =
        [
            ("refinement.calibrationInterval", Refinement.CalibrationInterval, "A standard error needs at least 2 test images."),
            ("maxLogitNorm", MaxLogitNorm, "With two classes the score is the same for every image."),
            ("before.l2", Before.L2, "No bin has two images. Ask for fewer bins."),
            ("after.l2", After.L2, "No bin has two images. Ask for fewer bins."),
            ("before.kernel", Before.Kernel, "At least 2 test images are needed."),
            ("after.kernel", After.Kernel, "At least 2 test images are needed."),
            (
                "conformal",
                Conformal,
                $"At least {ConformalSets.LeastImages} images must choose a threshold: the validation images, or half of the test images."
            ),
            ("calibrators", Calibrators, $"At least {CalibratorComparison.LeastImages} images are needed to fit and judge calibrators."),
            (
                "resamples",
                options.Resamples > 0 ? options : null,
                "Without resamples there are no corp.chance, corp.band and kernel.pValue."
            ),
        ];
        return new(measures.Where(one => one.Measure is null).ToDictionary(one => one.Name, one => one.Why), StringComparer.Ordinal);
    }
}

/// <summary>The measures of the probabilities at one temperature.</summary>
/// <param name="L2">The ℓ2 calibration error with its interval; null when no bin has two images.</param>
/// <param name="Corp">The reliability curve without bins.</param>
/// <param name="Kernel">The kernel calibration error of all classes; null for one image.</param>
public sealed record MeasuredPredictions(L2Interval? L2, CorpReliability Corp, KernelCalibrationError? Kernel)
{
    /// <param name="kernel">That of the report's verdict; null without resamples or for one image.</param>
    internal static MeasuredPredictions Of(
        Predictions predictions,
        KernelCalibrationError? kernel,
        ReportOptions options,
        CancellationToken cancellation
    )
    {
        var order = new ConfidenceOrder(predictions.Confidences);
        return new(
            L2Interval.Of(predictions, order, options.Bins),
            CorpReliability.Of(predictions, order, options.Resamples, options.Seed, cancellation),
            kernel ?? KernelCalibrationError.Of(predictions, 0, options.Seed, cancellation)
        );
    }
}
