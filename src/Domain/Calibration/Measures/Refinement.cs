namespace Temper.Domain.Calibration.Measures;

/// <summary>
/// The NLL as the sum of two parts. Refinement is the NLL that recalibration leaves; its estimate is the NLL with the logits divided by
/// T. Calibration is what T gains. Of two models with the same NLL, the one with less refinement is better after temperature scaling.
/// </summary>
/// <param name="Nll">Mean negative log-likelihood of the model as trained, nats: the sum of both parts.</param>
/// <param name="Value">Refinement, nats: the report's NLL after temperature.</param>
/// <param name="Calibration">NLL before − after temperature, nats; below 0 when T makes the test images worse.</param>
/// <param name="CalibrationInterval">95 % interval of the calibration: the mean ± 1.96 standard errors of the difference of each image;
/// null with one image. T is held fixed.</param>
/// <remarks>Berta et al. 2025, arXiv:2501.19195. Temperature scaling stands for all recalibrations, so the refinement is at most
/// overestimated.</remarks>
public sealed record Refinement(double Nll, double Value, double Calibration, Interval? CalibrationInterval)
{
    public static Refinement Of(Predictions before, Predictions after)
    {
        var gains = new double[before.Count];
        for (var i = 0; i < gains.Length; i++)
            gains[i] = before.LogLosses[i] - after.LogLosses[i];
        var gain = MeanWithError.Of(gains);
        return new(before.Nll, after.Nll, gain.Mean, gain.Interval95);
    }
}
