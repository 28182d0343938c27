using System.Globalization;

namespace Temper.Domain.Smoothing;

/// <summary>What an ε is likely to do to calibration, told before anything is trained.</summary>
/// <param name="EarlierJobs">Succeeded jobs on this data set, model and label noise that this rests on, the latest 100 at most.</param>
/// <param name="Accuracy">A, their median test accuracy, so that a few failed trials do not count; null without any.</param>
/// <param name="ExpectedSignedGap">−ε(A − 1/K) with ε as `uniform`, label noise counted in: mean confidence − accuracy at the
/// smoothed loss's optimum; null without A.</param>
/// <param name="Measured">How the signed gaps of those jobs differed from what this formula says of each; null without any.</param>
/// <param name="Warnings">Sentences for people; empty when there is nothing to warn of.</param>
public sealed record SmoothingAdvice(
    int EarlierJobs,
    double? Accuracy,
    double? ExpectedSignedGap,
    GapDifference? Measured,
    IReadOnlyList<string> Warnings
)
{
    /// <summary>A gap that a reader of probabilities would mind.</summary>
    private const double LargeGap = 0.02;

    /// <param name="labelNoise">Share of training labels replaced.</param>
    /// <param name="earlier">Jobs on the same data set, model and label noise.</param>
    public static SmoothingAdvice Of(LabelSmoothing smoothing, double labelNoise, IReadOnlyList<EarlierJob> earlier)
    {
        if (smoothing.EpsilonUniform == 1)
            return new(earlier.Count, null, null, null, ["At ε = 1 the target does not depend on the label: nothing can be learned."]);
        if (earlier.Count == 0)
            return new(0, null, null, null, []);
        var accuracy = Median([.. earlier.Select(job => job.Accuracy).Order()]);
        var gap = smoothing.ExpectedSignedGap(accuracy, labelNoise);
        var differences = earlier
            .Select(job =>
                job.SignedGap
                - LabelSmoothing
                    .Of(SmoothingConvention.Uniform, job.EpsilonUniform, smoothing.Classes)
                    .ExpectedSignedGap(job.Accuracy, labelNoise)
            )
            .ToArray();
        var measured = GapDifference.Of(differences);
        return new(
            earlier.Count,
            accuracy,
            gap,
            measured,
            Math.Abs(gap) < LargeGap ? [] : [Warning(smoothing, labelNoise, accuracy, gap, measured)]
        );
    }

    private static double Median(double[] sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;

    private static string Warning(LabelSmoothing smoothing, double labelNoise, double accuracy, double gap, GapDifference measured) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"Accuracy here is {accuracy:0.00}; at its optimum ε = "
                + $"{smoothing.EpsilonUniform:0.###}{(labelNoise > 0 ? $" with label noise {labelNoise:0.###}" : "")} is "
                + $"{(gap < 0 ? "under" : "over")}-confident by about {Math.Abs(gap):0.00}. Earlier jobs came out "
                + $"{Math.Abs(measured.Mean):0.00} {(measured.Mean < 0 ? "lower" : "higher")} than this formula says."
        );
}

/// <summary>What an earlier job came to.</summary>
/// <param name="EpsilonUniform">Its ε as `uniform`.</param>
/// <param name="Accuracy">Of its test set.</param>
/// <param name="SignedGap">Mean confidence − accuracy of its test set.</param>
public sealed record EarlierJob(double EpsilonUniform, double Accuracy, double SignedGap);

/// <summary>Measured − expected signed gap, over some jobs.</summary>
/// <param name="Mean">On average: above 0, training stopped more confident than at the optimum, or over-fits.</param>
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
