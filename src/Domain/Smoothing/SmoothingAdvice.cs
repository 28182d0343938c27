using System.Globalization;

namespace Temper.Domain.Smoothing;

/// <summary>The likely effect of a loss and its ε on calibration, predicted before training.</summary>
/// <param name="EarlierJobs">Number of succeeded jobs with this data set, model, label noise and loss, at any ε, that the advice uses:
/// the latest 100 at most.</param>
/// <param name="Accuracy">A, their median test accuracy, which a few failed trials do not affect; null without jobs.</param>
/// <param name="ExpectedSignedGap">Mean confidence − accuracy at the loss's optimum, label noise included. For `crossEntropy` it is
/// −ε(A − 1/K) with ε as `uniform`. Null without A, and for mixup and `flsd53`, which have no closed form.</param>
/// <param name="Measured">The measured signed gaps of those jobs − the gaps that the formula predicts; null without jobs or
/// without a formula.</param>
/// <param name="Warnings">Sentences for the user; empty without a warning.</param>
public sealed record SmoothingAdvice(
    int EarlierJobs,
    double? Accuracy,
    double? ExpectedSignedGap,
    GapDifference? Measured,
    IReadOnlyList<string> Warnings
)
{
    /// <summary>The smallest gap that matters to a user of the probabilities.</summary>
    private const double LargeGap = 0.02;

    /// <param name="labelNoise">Share of training labels replaced.</param>
    /// <param name="earlier">Jobs with the same data set, model, label noise and loss.</param>
    public static SmoothingAdvice Of(TrainingLoss loss, double labelNoise, IReadOnlyList<EarlierJob> earlier)
    {
        if (loss.Targets.EpsilonUniform == 1)
            return new(earlier.Count, null, null, null, ["At ε = 1 the target does not depend on the label: nothing can be learned."]);
        if (earlier.Count == 0)
            return new(0, null, null, null, []);
        var accuracy = Median([.. earlier.Select(job => job.Accuracy).Order()]);
        if (loss.ExpectedSignedGap(accuracy, labelNoise) is not { } gap)
            return new(earlier.Count, accuracy, null, null, []);
        var measured = GapDifference.Of([
            .. earlier.Select(job => job.SignedGap - loss.At(job.EpsilonUniform).ExpectedSignedGap(job.Accuracy, labelNoise)!.Value),
        ]);
        return new(
            earlier.Count,
            accuracy,
            gap,
            measured,
            Math.Abs(gap) < LargeGap ? [] : [Warning(loss, labelNoise, accuracy, gap, measured)]
        );
    }

    private static double Median(double[] sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;

    private static string Warning(TrainingLoss loss, double labelNoise, double accuracy, double gap, GapDifference measured) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"Accuracy here is {accuracy:0.00}; at its optimum "
                + $"{loss.InWords()}{(labelNoise > 0 ? $" with label noise {labelNoise:0.###}" : "")} is "
                + $"{(gap < 0 ? "under" : "over")}-confident by about {Math.Abs(gap):0.00}. Earlier jobs came out "
                + $"{Math.Abs(measured.Mean):0.00} {(measured.Mean < 0 ? "lower" : "higher")} than this formula says."
        );
}

/// <summary>The result of an earlier job.</summary>
/// <param name="EpsilonUniform">Its ε as `uniform`; 0 for a loss without ε.</param>
/// <param name="Accuracy">Accuracy on the test set.</param>
/// <param name="SignedGap">Mean confidence − accuracy on the test set.</param>
public sealed record EarlierJob(double EpsilonUniform, double Accuracy, double SignedGap);

/// <summary>Measured − expected signed gap over several jobs.</summary>
/// <param name="Mean">Mean difference. Above 0, the models are more confident than at the optimum, or over-fit.</param>
/// <param name="Deviation">Standard deviation; null for one job.</param>
public sealed record GapDifference(double Mean, double? Deviation)
{
    internal static GapDifference Of(double[] differences)
    {
        var mean = differences.Average();
        return new(
            mean,
            differences.Length == 1 ? null : Math.Sqrt(differences.Sum(d => (d - mean) * (d - mean)) / (differences.Length - 1))
        );
    }
}
