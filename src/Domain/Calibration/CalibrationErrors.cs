namespace Temper.Domain.Calibration;

/// <summary>The calibration errors of a set of predictions, with the bins from which they are computed.</summary>
public sealed class CalibrationErrors
{
    /// <param name="bins">Number of bins of equal width and of bins of equal mass; at least 1.</param>
    /// <param name="binning">The rule of the bins of equal width.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between the errors.</exception>
    public CalibrationErrors(Predictions predictions, int bins, Binning binning, CancellationToken cancellation = default)
    {
        (Bins, Binning, Order) = (bins, binning, new(predictions.Confidences));
        EqualWidth = BinSums.EqualWidth(predictions.Confidences, predictions.Hits, bins, binning);
        EqualMass = BinSums.EqualMass(predictions.Confidences, predictions.Hits, bins, Order);
        Classwise = ClasswiseBins.Of(predictions, bins, binning, cancellation);
        Smooth = SmoothCalibrationError.Of(predictions.Confidences, predictions.Hits, cancellation);
    }

    public int Bins { get; }
    public Binning Binning { get; }
    public ConfidenceOrder Order { get; }
    public BinSums[] EqualWidth { get; }
    public BinSums[] EqualMass { get; }
    public ClasswiseBins Classwise { get; }
    public SmoothCalibrationError Smooth { get; }

    public double Ece => CalibrationError.Expected(EqualWidth);
    public double SmoothEce => Smooth.Observed;
}
