namespace Temper.Domain.Smoothing;

/// <summary>The target distribution of label smoothing over K classes, in both conventions at once.</summary>
/// <remarks>
/// The two conventions describe the same family of targets: ε_uniform = ε_others·K/(K−1). Training therefore has one
/// code path, the uniform one. Szegedy et al. 2016, arXiv:1512.00567, §7.
/// </remarks>
public sealed record LabelSmoothing
{
    private LabelSmoothing(double epsilonUniform, int classes) => (EpsilonUniform, Classes) = (epsilonUniform, classes);

    /// <param name="convention">The convention of <paramref name="epsilon"/>.</param>
    /// <param name="epsilon">0 to <see cref="Largest"/>.</param>
    /// <param name="classes">K, at least 2.</param>
    /// <exception cref="ArgumentOutOfRangeException">ε is outside its convention's range, or K is below 2.</exception>
    public static LabelSmoothing Of(SmoothingConvention convention, double epsilon, int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        if (!(epsilon >= 0 && epsilon <= Largest(convention, classes)))
            throw new ArgumentOutOfRangeException(nameof(epsilon), epsilon, $"0 to {Largest(convention, classes)} for {convention}.");
        return new(convention == SmoothingConvention.Uniform ? epsilon : epsilon * classes / (classes - 1), classes);
    }

    /// <summary>
    /// The largest ε: 1 for uniform; (K−1)/K for others, above which the true class is no longer the likeliest.
    /// </summary>
    public static double Largest(SmoothingConvention convention, int classes) =>
        convention == SmoothingConvention.Uniform ? 1 : (classes - 1.0) / classes;

    public int Classes { get; }

    /// <summary>ε in the convention of PyTorch's <c>CrossEntropyLoss(label_smoothing)</c>; 0 to 1.</summary>
    public double EpsilonUniform { get; }

    /// <summary>The mass taken from the true class; 0 to (K−1)/K.</summary>
    public double EpsilonOthers => EpsilonUniform * (Classes - 1) / Classes;

    /// <summary>q of the true class. It is also c*, the confidence at the loss's optimum when the label is certain.</summary>
    public double TrueClassTarget => 1 - EpsilonUniform + OtherClassTarget;

    /// <summary>q of each other class.</summary>
    public double OtherClassTarget => EpsilonUniform / Classes;

    /// <summary>H(q) in nats: the smoothed training loss never falls below it, and loss − H(q) is the KL form.</summary>
    public double TargetEntropy => XLogInverse(TrueClassTarget) + (Classes - 1) * XLogInverse(OtherClassTarget);

    /// <summary>
    /// ln(q of the true class / q of another class): the difference between the logits at the optimum. Null at ε = 0, where it is
    /// infinite.
    /// </summary>
    /// <remarks>Computed as a difference of logarithms, because the quotient overflows to infinity for ε below 1e-308.</remarks>
    public double? LogitGap => EpsilonUniform == 0 ? null : Math.Log(TrueClassTarget * Classes) - Math.Log(EpsilonUniform);

    /// <summary>
    /// −ε'(A − 1/K): mean confidence − accuracy at the optimum p* = (1−ε')·p + ε'/K, measured on clean labels. Replacing a
    /// share s of the labels by another class smooths by s·K/(K−1), so 1−ε' = (1−ε)(1 − s·K/(K−1)).
    /// </summary>
    /// <param name="accuracy">A, the mean probability of the top class, which the accuracy estimates.</param>
    /// <param name="labelNoise">s, the share of training labels replaced; 0 to 1.</param>
    public double ExpectedSignedGap(double accuracy, double labelNoise = 0)
    {
        var kept = (1 - EpsilonUniform) * (1 - labelNoise * Classes / (Classes - 1));
        return (kept - 1) * (accuracy - 1.0 / Classes);
    }

    /// <summary>q for one label: K probabilities that sum to 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The label is not in [0, K).</exception>
    public double[] Targets(int label)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(label);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(label, Classes);
        var targets = new double[Classes];
        Array.Fill(targets, OtherClassTarget);
        targets[label] = TrueClassTarget;
        return targets;
    }

    private static double XLogInverse(double x) => x is 0 or 1 ? 0 : -x * Math.Log(x);
}
