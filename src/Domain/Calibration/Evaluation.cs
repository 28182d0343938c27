namespace Temper.Domain.Calibration;

/// <summary>The figures of a model against hard labels that are cheap enough to compute after every epoch.</summary>
/// <param name="Loss">Mean negative log-likelihood of the label in nats, never smoothed.</param>
/// <param name="Accuracy">Share of top-1 hits, [0, 1].</param>
/// <param name="Ece">Expected calibration error, 15 equal-width bins, [0, 1].</param>
/// <param name="SignedGap">Mean confidence − accuracy: positive is over-confident, negative under-confident.</param>
public sealed record Evaluation(double Loss, double Accuracy, double Ece, double SignedGap)
{
    /// <param name="logits">Logits and labels of the split to evaluate.</param>
    public static Evaluation Of(LabelledLogits logits)
    {
        var predictions = Predictions.Of(logits);
        var bins = BinSums.EqualWidth(predictions.Confidences, predictions.Hits, Binning.Guo.DefaultCount(), Binning.Guo);
        return new(predictions.Nll, predictions.Accuracy, CalibrationError.Expected(bins), predictions.SignedGap);
    }
}
