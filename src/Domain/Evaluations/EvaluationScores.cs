using Temper.Domain.Calibration;

namespace Temper.Domain.Evaluations;

/// <summary>The main figures of an evaluation, from its report with the default options.</summary>
/// <param name="Temperature">T, fitted on the validation part; without one, on all images.</param>
/// <param name="Verdict">Verdict on the model as it is.</param>
/// <param name="VerdictAfterTemperature">Verdict on the model with its logits divided by T.</param>
/// <param name="Accuracy">Share of top-1 hits; a temperature does not change it.</param>
/// <param name="Nll">Mean negative log-likelihood of the label, nats.</param>
/// <param name="Brier">Mean of Σ_k (p_k − [k is the label])², 0 to 2.</param>
/// <param name="Ece">Expected calibration error, 15 equal-width bins.</param>
/// <param name="SignedGap">Mean confidence − accuracy: positive is over-confident.</param>
/// <param name="Aurc">Area under the risk–coverage curve.</param>
/// <param name="NllAfterTemperature">NLL with the logits divided by T.</param>
/// <param name="EceAfterTemperature">ECE with the logits divided by T.</param>
/// <param name="SignedGapAfterTemperature">Mean confidence − accuracy with the logits divided by T.</param>
public sealed record EvaluationScores(
    double Temperature,
    VerdictName Verdict,
    VerdictName VerdictAfterTemperature,
    double Accuracy,
    double Nll,
    double Brier,
    double Ece,
    double SignedGap,
    double Aurc,
    double NllAfterTemperature,
    double EceAfterTemperature,
    double SignedGapAfterTemperature
)
{
    /// <param name="report">A report with resamples, which the verdict needs.</param>
    public static EvaluationScores Of(CalibrationReport report) =>
        new(
            report.TemperatureFit.Temperature,
            report.Before.Verdict!.Name,
            report.After.Verdict!.Name,
            report.Before.Accuracy.Value,
            report.Before.Nll.Value,
            report.Before.Brier.Value,
            report.Before.Ece.Value,
            report.Before.SignedGap.Value,
            report.Before.Aurc.Value,
            report.After.Nll.Value,
            report.After.Ece.Value,
            report.After.SignedGap.Value
        );
}
