using Temper.Domain.Calibration;

namespace Temper.Domain.Jobs;

/// <summary>The figures of a trained model by which a study compares its jobs.</summary>
/// <param name="Temperature">T, fitted on the whole validation split; see <see cref="TemperatureFit"/>.</param>
/// <param name="Validation">Figures for choosing. The ones after temperature are cross-fitted; see
/// <see cref="AfterTemperature"/>.</param>
/// <param name="Test">Figures for reporting only, never for choosing. The ones after temperature use T from the validation
/// split.</param>
public sealed record Scores(double Temperature, SplitScores Validation, SplitScores Test)
{
    /// <param name="validation">At least two images.</param>
    public static Scores Of(LabelledLogits validation, LabelledLogits test)
    {
        var temperature = TemperatureFit.On(validation).Temperature;
        return new(
            temperature,
            SplitScores.Of(Predictions.Of(validation), AfterTemperature(validation)),
            SplitScores.Of(test, temperature)
        );
    }

    /// <returns>`Validation.NllAfterTemperature` without the other figures; null with fewer than two images.</returns>
    public static double? NllAfterTemperature(LabelledLogits validation) =>
        validation.Count < 2 ? null : SplitScores.NllOf(AfterTemperature(validation));

    /// <summary>
    /// Fits T on one half of the images and evaluates it on the other half, then the reverse: a temperature evaluated on the
    /// images that it was fitted on would look better than it is. The images are in random order, so a half is every second one.
    /// </summary>
    private static Predictions[] AfterTemperature(LabelledLogits validation)
    {
        LabelledLogits even = validation.Every(2),
            odd = validation.Every(2, first: 1);
        return [Predictions.Of(even, TemperatureFit.On(odd).Temperature), Predictions.Of(odd, TemperatureFit.On(even).Temperature)];
    }
}

/// <summary>The figures of one split, against hard labels.</summary>
/// <param name="Accuracy">Share of top-1 hits; a temperature does not change it.</param>
/// <param name="Nll">Mean negative log-likelihood of the label, nats.</param>
/// <param name="Brier">Mean of Σ_k (p_k − [k is the label])², 0 to 2.</param>
/// <param name="Ece">Expected calibration error, 15 equal-width bins.</param>
/// <param name="SignedGap">Mean confidence − accuracy: positive is over-confident.</param>
/// <param name="Aurc">Area under the risk–coverage curve.</param>
/// <param name="NllAfterTemperature">NLL with the logits divided by T.</param>
/// <param name="EceAfterTemperature">ECE with the logits divided by T.</param>
/// <param name="DebiasedEce">ECE of the same bins with its bias removed: <see cref="CalibrationError.DebiasedExpected"/>. This and the
/// next three are null in the scores of a build that did not compute them.</param>
/// <param name="SmoothEce">Smooth ECE, without bins: <see cref="SmoothCalibrationError"/>.</param>
/// <param name="DebiasedEceAfterTemperature">Debiased ECE with the logits divided by T.</param>
/// <param name="SmoothEceAfterTemperature">Smooth ECE with the logits divided by T.</param>
/// <param name="Augrc">Area under the generalized risk–coverage curve; null in the scores of a build that did not compute it.</param>
public sealed record SplitScores(
    double Accuracy,
    double Nll,
    double Brier,
    double Ece,
    double SignedGap,
    double Aurc,
    double NllAfterTemperature,
    double EceAfterTemperature,
    double? DebiasedEce = null,
    double? SmoothEce = null,
    double? DebiasedEceAfterTemperature = null,
    double? SmoothEceAfterTemperature = null,
    double? Augrc = null
)
{
    /// <param name="temperature">T for the figures after temperature, fitted on other images.</param>
    public static SplitScores Of(LabelledLogits logits, double temperature) =>
        Of(Predictions.Of(logits), [Predictions.Of(logits, temperature)]);

    /// <summary>The mean of each figure.</summary>
    /// <param name="scores">At least one.</param>
    public static SplitScores Mean(IReadOnlyCollection<SplitScores> scores) =>
        new(
            scores.Average(one => one.Accuracy),
            scores.Average(one => one.Nll),
            scores.Average(one => one.Brier),
            scores.Average(one => one.Ece),
            scores.Average(one => one.SignedGap),
            scores.Average(one => one.Aurc),
            scores.Average(one => one.NllAfterTemperature),
            scores.Average(one => one.EceAfterTemperature),
            scores.Average(one => one.DebiasedEce),
            scores.Average(one => one.SmoothEce),
            scores.Average(one => one.DebiasedEceAfterTemperature),
            scores.Average(one => one.SmoothEceAfterTemperature),
            scores.Average(one => one.Augrc)
        );

    /// <param name="before">The model's predictions without temperature.</param>
    /// <param name="after">Predictions for the same images after temperature, in one or several parts.</param>
    internal static SplitScores Of(Predictions before, IReadOnlyList<Predictions> after)
    {
        var (plain, tempered) = (ErrorsOf([before]), ErrorsOf(after));
        var order = new ConfidenceOrder(before.Confidences);
        return new(
            before.Accuracy,
            before.Nll,
            before.Brier,
            plain.Ece,
            before.SignedGap,
            RiskCoverage.Aurc(order, before.Hits),
            NllOf(after),
            tempered.Ece,
            plain.Debiased,
            plain.Smooth,
            tempered.Debiased,
            tempered.Smooth,
            RiskCoverage.Augrc(order, before.Hits)
        );
    }

    /// <summary>The mean negative log-likelihood over all parts.</summary>
    internal static double NllOf(IReadOnlyList<Predictions> parts) =>
        parts.Sum(part => part.LogLosses.Sum()) / parts.Sum(part => part.Count);

    private static (double Ece, double Debiased, double Smooth) ErrorsOf(IReadOnlyList<Predictions> parts)
    {
        double[] confidences = [.. parts.SelectMany(part => part.Confidences)],
            hits = [.. parts.SelectMany(part => part.Hits)];
        var bins = BinSums.EqualWidth(confidences, hits, Binning.Guo.DefaultCount(), Binning.Guo);
        return (
            CalibrationError.Expected(bins),
            CalibrationError.DebiasedExpected(bins),
            SmoothCalibrationError.Of(confidences, hits).Observed
        );
    }
}
