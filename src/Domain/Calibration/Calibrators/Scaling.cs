namespace Temper.Domain.Calibration.Calibrators;

/// <summary>softmax(logits / T); with T = 1 the model as trained.</summary>
/// <remarks>Guo et al. 2017, arXiv:1706.04599.</remarks>
internal sealed class Scaling(double temperature) : ICalibrator
{
    public double[] Losses(LabelledLogits images) => Predictions.Of(images, temperature).LogLosses;
}
