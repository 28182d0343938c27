namespace Temper.Domain.Calibration.Calibrators;

/// <summary>A map from logits to calibrated probabilities, fitted on some images.</summary>
internal interface ICalibrator
{
    /// <summary>−ln of the probability of each label, nats.</summary>
    /// <param name="images">Images that the fit has not seen.</param>
    /// <returns>One for each image.</returns>
    double[] Losses(LabelledLogits images);
}
