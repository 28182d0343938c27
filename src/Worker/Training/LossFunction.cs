using Temper.Domain.Smoothing;

namespace Temper.Worker.Training;

/// <summary>Computes <see cref="TrainingLoss"/>, averaged over the batch. <see cref="Domain.Jobs.JobSpec.Loss"/> has the
/// formulas.</summary>
internal static class LossFunction
{
    /// <summary>
    /// The least 1 − p that the focal loss sees. Below γ = 1 the derivative of (1 − p)^γ has no bound, and 0·∞ is no number.
    /// </summary>
    private const double LeastRest = 1e-12;

    /// <summary>FLSD-53: below this probability of the label γ is <see cref="HardGamma"/>, from it on <see cref="EasyGamma"/>.</summary>
    private const double HardBelow = 0.2,
        HardGamma = 5,
        EasyGamma = 3;

    /// <param name="logits_NK">Float32.</param>
    /// <param name="labels_N">Int64, 0 to K − 1.</param>
    /// <returns>A tensor without dimensions.</returns>
    public static Tensor Mean(TrainingLoss loss, Tensor logits_NK, Tensor labels_N) =>
        loss.Name switch
        {
            LossName.Focal => Focal(loss, logits_NK, labels_N),
            LossName.ConfidencePenalty => HardCrossEntropy(logits_NK, labels_N) - loss.Beta * MeanEntropy(logits_NK),
            LossName.MarginSmoothing => HardCrossEntropy(logits_NK, labels_N)
                + loss.Weight * functional.relu(logits_NK.amax([1], keepdim: true) - logits_NK - loss.Margin).mean(),
            LossName.MaxSuppression => HardCrossEntropy(logits_NK, labels_N)
                + loss.Epsilon * (logits_NK.amax([1]).mean() - logits_NK.mean()),
            _ => Fused.CrossEntropy(logits_NK, labels_N, loss.Targets.EpsilonUniform),
        };

    private static Tensor HardCrossEntropy(Tensor logits_NK, Tensor labels_N) => Fused.CrossEntropy(logits_NK, labels_N, smoothing: 0);

    private static Tensor MeanEntropy(Tensor logits_NK)
    {
        var logs_NK = functional.log_softmax(logits_NK, 1);
        return -(logs_NK.exp() * logs_NK).sum(1).mean();
    }

    private static Tensor Focal(TrainingLoss loss, Tensor logits_NK, Tensor labels_N)
    {
        var log_N = functional.log_softmax(logits_NK, 1).gather(1, labels_N.unsqueeze(1)).squeeze(1);
        var rest_N = (-log_N.expm1()).clamp_min(LeastRest); // 1 − p, exact where p is near 1
        if (loss.GammaSchedule == GammaScheduleName.Constant)
            return -(rest_N.pow(loss.Gamma) * log_N).mean();
        var gamma_N = log_N.detach().lt(Math.Log(HardBelow)).to(log_N.dtype) * (HardGamma - EasyGamma) + EasyGamma;
        return -(rest_N.pow(gamma_N) * log_N).mean();
    }
}
