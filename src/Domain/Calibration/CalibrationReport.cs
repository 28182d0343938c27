namespace Temper.Domain.Calibration;

/// <summary>
/// Whether a model is calibrated on its test set, as it is and after temperature scaling, with the uncertainty of every
/// figure.
/// </summary>
/// <param name="Count">N, images of the test set.</param>
/// <param name="Classes">K.</param>
/// <param name="Options">What the report was computed with.</param>
/// <param name="TemperatureFit">Fitted on the validation split alone.</param>
/// <param name="Before">The model as trained.</param>
/// <param name="After">Its logits divided by the temperature.</param>
/// <param name="Conventions">The ECE of the model as trained, by each tool's rule.</param>
public sealed record CalibrationReport(
    int Count,
    int Classes,
    ReportOptions Options,
    TemperatureFit TemperatureFit,
    CalibrationAssessment Before,
    CalibrationAssessment After,
    BinningReceipt Conventions
)
{
    /// <param name="trueProbabilities">For each test image the true probability of the class predicted; null where unknown.</param>
    /// <exception cref="OperationCanceledException">Cancelled: seen between resamples.</exception>
    public static CalibrationReport Of(
        LabelledLogits validation,
        LabelledLogits test,
        double[]? trueProbabilities,
        ReportOptions options,
        CancellationToken cancellation = default
    )
    {
        var fit = TemperatureFit.On(validation);
        CalibrationAssessment? before = null,
            after = null;
        Parallel.Invoke(
            () => before = CalibrationAssessment.Of(test, 1, trueProbabilities, options, cancellation),
            () => after = CalibrationAssessment.Of(test, fit.Temperature, trueProbabilities, options, cancellation)
        );
        return new(test.Count, test.Classes, options, fit, before!, after!, BinningReceipt.Of(Predictions.Of(test)));
    }
}

/// <summary>How a report is computed.</summary>
/// <param name="Binning">Whose rule for bins of equal width.</param>
/// <param name="Bins">Bins of equal width, and as many of equal mass.</param>
/// <param name="Resamples">Draws for the intervals, the chance bands and the verdict; 0 leaves them out.</param>
/// <param name="Seed">Of those draws: the same seed gives the same report.</param>
public sealed record ReportOptions(Binning Binning, int Bins, int Resamples, long Seed);
