namespace Temper.Domain.Smoothing;

/// <summary>
/// A loss with its settings; those of other losses do not count. p is the softmax of the logits z over K classes, and y the label.
/// </summary>
/// <param name="Targets">The targets of the cross-entropy. Other losses have hard labels.</param>
/// <param name="Epsilon">ε as given: the factor of the regularizer of <see cref="LossName.MaxSuppression"/>.</param>
/// <param name="GammaSchedule">Of <see cref="LossName.Focal"/>.</param>
/// <param name="Gamma">γ of <see cref="LossName.Focal"/> when it is the same for all images, 0 or more.</param>
/// <param name="Beta">β of <see cref="LossName.ConfidencePenalty"/>, 0 or more.</param>
/// <param name="Margin">Of <see cref="LossName.MarginSmoothing"/>, in logits; 0 or more.</param>
/// <param name="Weight">Of <see cref="LossName.MarginSmoothing"/>, 0 or more.</param>
/// <param name="Mixup">α of mixup; 0 without mixup.</param>
public sealed record TrainingLoss(
    LossName Name,
    LabelSmoothing Targets,
    double Epsilon,
    GammaScheduleName GammaSchedule,
    double Gamma,
    double Beta,
    double Margin,
    double Weight,
    double Mixup
)
{
    /// <summary>The settings of a loss when they are absent, from the papers.</summary>
    public const double DefaultGamma = 3,
        DefaultBeta = 0.1,
        DefaultMargin = 10,
        DefaultWeight = 0.1;

    /// <summary>Halvings of an interval: more than the bits of a double.</summary>
    private const int Bisections = 60;

    private int Classes => Targets.Classes;

    /// <summary>Whether it is the cross-entropy; `maxSuppression` is it at ε = 0.</summary>
    public bool IsCrossEntropy => Name == LossName.CrossEntropy || (Name == LossName.MaxSuppression && Epsilon == 0);

    /// <summary>Whether it is the cross-entropy against hard labels of images as they are.</summary>
    public bool IsPlain => IsCrossEntropy && Targets.EpsilonUniform == 0 && Mixup == 0;

    /// <summary>Whether the settings of a loss have an ε that is not 0.</summary>
    public static bool TakesEpsilon(LossName loss) => loss is LossName.CrossEntropy or LossName.MaxSuppression;

    /// <summary>The same loss at another ε, in the convention `uniform`.</summary>
    public TrainingLoss At(double epsilon) =>
        TakesEpsilon(Name)
            ? this with
            {
                Epsilon = epsilon,
                Targets = Name == LossName.CrossEntropy ? LabelSmoothing.Of(SmoothingConvention.Uniform, epsilon, Classes) : Targets,
            }
            : this;

    /// <summary>
    /// Mean confidence − accuracy at the optimum of the loss, measured on clean labels; docs/losses.md has the derivations. It is exact
    /// for `crossEntropy`, and for `maxSuppression` while it leaves the top class the top. The others take each image's posterior to be
    /// A for the top class and the same for each other class.
    /// </summary>
    /// <param name="accuracy">A, the mean probability of the top class, 1/K to 1.</param>
    /// <param name="labelNoise">s, the share of training labels replaced; 0 to 1.</param>
    /// <returns>Null with mixup and with `flsd53`, which have no closed form.</returns>
    public double? ExpectedSignedGap(double accuracy, double labelNoise = 0)
    {
        if (Mixup > 0 || (Name == LossName.Focal && GammaSchedule != GammaScheduleName.Constant))
            return null;
        if (Name == LossName.CrossEntropy)
            return Targets.ExpectedSignedGap(accuracy, labelNoise);
        // The probability of the top class among the noisy labels.
        var top = 1.0 / Classes + (1 - labelNoise * Classes / (Classes - 1)) * (accuracy - 1.0 / Classes);
        return Confidence(top) - accuracy;
    }

    /// <summary>For people, such as "ε = 0.1" or "focal with γ = 2"; "others" names the convention that is not the default.</summary>
    public string InWords()
    {
        FormattableString loss = Name switch
        {
            _ when IsCrossEntropy => $"ε = {Epsilon}{(Epsilon == Targets.EpsilonUniform ? "" : " (others)")}",
            LossName.MaxSuppression => $"maxSuppression with ε = {Epsilon}",
            LossName.Focal when GammaSchedule != GammaScheduleName.Constant => $"focal with flsd53",
            LossName.Focal => $"focal with γ = {Gamma}",
            LossName.ConfidencePenalty => $"confidencePenalty with β = {Beta}",
            _ => $"marginSmoothing with margin {Margin} and weight {Weight}",
        };
        return FormattableString.Invariant(loss) + (Mixup > 0 ? FormattableString.Invariant($" and mixup with α = {Mixup}") : "");
    }

    /// <param name="top">π, the posterior of the top class. Each other class has (1 − π)/(K − 1).</param>
    /// <returns>p of the top class where the expected loss is least, if the other classes share the rest evenly.</returns>
    private double Confidence(double top)
    {
        double even = 1.0 / Classes,
            others = 1 - even;
        return Name switch
        {
            LossName.MaxSuppression => Math.Max(even, top - Epsilon * others),
            // Beyond the margin the penalty pulls with weight/K at each other class. Within it, there is none.
            LossName.MarginSmoothing => Math.Min(top, Math.Max(1 / (1 + (Classes - 1) * Math.Exp(-Margin)), top - Weight * others)),
            LossName.ConfidencePenalty => Root(c => -top / c + Beta * Math.Log(c / Other(c)) + (top == 1 ? 0 : (1 - top) / (1 - c))),
            _ => Root(c => -top * FocalSlope(c) + (1 - top) / (Classes - 1) * FocalSlope(Other(c))),
        };

        double Other(double c) => (1 - c) / (Classes - 1);

        // The derivative of the loss by c grows with c.
        double Root(Func<double, double> derivative)
        {
            double low = Math.Min(even, top),
                high = 1;
            for (var i = 0; i < Bisections; i++)
            {
                var middle = (low + high) / 2;
                if (derivative(middle) < 0)
                    low = middle;
                else
                    high = middle;
            }
            return (low + high) / 2;
        }
    }

    /// <summary>The negative derivative of −(1 − p)^γ·ln p.</summary>
    private double FocalSlope(double p) => Math.Pow(1 - p, Gamma) / p - Gamma * Math.Pow(1 - p, Gamma - 1) * Math.Log(p);
}
