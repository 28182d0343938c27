using Temper.Domain.Calibration.Measures;

namespace Temper.Domain.Calibration;

/// <summary>
/// Reports whether a model is calibrated on its test set, before and after temperature scaling, with the uncertainty of every
/// figure.
/// </summary>
/// <param name="Count">N, number of images in the test set.</param>
/// <param name="Classes">K.</param>
/// <param name="Options">The options of the report.</param>
/// <param name="TemperatureFit">The temperature, fitted on the validation split only; without one, on all images of the test
/// set.</param>
/// <param name="CrossFit">How `after` was computed without a validation split; null with one.</param>
/// <param name="Before">Assessment of the model as trained.</param>
/// <param name="After">Assessment with the logits divided by the temperature.</param>
/// <param name="Conventions">The ECE of the model as trained, by each tool's rule.</param>
/// <param name="Measures">Further measures; null unless the options ask for them.</param>
public sealed record CalibrationReport(
    int Count,
    int Classes,
    ReportOptions Options,
    TemperatureFit TemperatureFit,
    CrossFit? CrossFit,
    CalibrationAssessment Before,
    CalibrationAssessment After,
    BinningReceipt Conventions,
    CalibrationMeasures? Measures
)
{
    /// <param name="validation">Images that are used neither to train nor to evaluate the model; null when there are none.</param>
    /// <param name="test">At least two images without a validation split.</param>
    /// <param name="trueProbabilities">True probability of the predicted class for each test image; null when unknown.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled; each step checks often.</exception>
    public static CalibrationReport Of(
        LabelledLogits? validation,
        LabelledLogits test,
        double[]? trueProbabilities,
        ReportOptions options,
        CancellationToken cancellation = default
    )
    {
        var fit = TemperatureFit.On(validation ?? test, cancellation);
        var crossFit = validation is null ? CrossFit.Of(test, fit, options.Seed, cancellation) : null;
        var (plain, scaled) = (default(Predictions)!, default(Predictions)!); // both are computed below
        CalibrationAssessment? before = null,
            after = null;
        BinningReceipt? conventions = null;
        Parallel.Invoke(
            Cores.Until(cancellation),
            () =>
            {
                plain = Predictions.Of(test, 1, cancellation);
                conventions = BinningReceipt.Of(plain);
                before = CalibrationAssessment.Of(plain, 1, trueProbabilities, options, cancellation);
            },
            () =>
            {
                scaled = crossFit?.Predict(test, cancellation) ?? Predictions.Of(test, fit.Temperature, cancellation);
                after = CalibrationAssessment.Of(scaled, fit.Temperature, trueProbabilities, options, cancellation);
            }
        );
        var measures = options.Measures
            ? CalibrationMeasures.Of(validation, test, plain, scaled, (before!.Verdict, after!.Verdict), options, cancellation)
            : null;
        return new(test.Count, test.Classes, options, fit, crossFit, before!, after!, conventions!, measures);
    }
}

/// <summary>The options of a report.</summary>
/// <param name="Binning">The tool whose rule for bins of equal width applies.</param>
/// <param name="Bins">Number of bins of equal width and of bins of equal mass.</param>
/// <param name="Resamples">Number of draws for the intervals, the chance bands and the verdict; with 0 the report has none of
/// them.</param>
/// <param name="Seed">Seed of those draws; the same seed gives the same report.</param>
/// <param name="Measures">Whether to compute the further measures too.</param>
public sealed record ReportOptions(Binning Binning, int Bins, int Resamples, long Seed, bool Measures = false);
