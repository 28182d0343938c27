using System.Globalization;

namespace Temper.Domain.Smoothing;

/// <summary>What an ε is likely to do to calibration, told before anything is trained.</summary>
/// <param name="EarlierJobs">Succeeded jobs on this data set, model and label noise that this rests on, the latest 100 at most.</param>
/// <param name="Accuracy">A, their mean test accuracy; null without any.</param>
/// <param name="ExpectedSignedGap">−ε(A − 1/K) with ε as `uniform`: mean confidence − accuracy at the smoothed loss's optimum; null without A.</param>
/// <param name="Measured">How the signed gaps of those jobs differed from what this formula says of each; null without any.</param>
/// <param name="Warnings">Sentences for people; empty when there is nothing to warn of.</param>
public sealed record SmoothingAdvice(int EarlierJobs, double? Accuracy, double? ExpectedSignedGap, GapDifference? Measured, IReadOnlyList<string> Warnings)
{
    /// <summary>A gap that a reader of probabilities would mind.</summary>
    private const double LargeGap = 0.02;

    /// <param name="earlier">Jobs on the same data set, model and label noise.</param>
    public static SmoothingAdvice Of(LabelSmoothing smoothing, IReadOnlyList<EarlierJob> earlier)
    {
        if (earlier.Count == 0) return new(0, null, null, null, []);
        var accuracy = earlier.Average(job => job.Accuracy);
        var gap = smoothing.ExpectedSignedGap(accuracy);
        var differences = earlier.Select(job => job.SignedGap - LabelSmoothing.Of(SmoothingConvention.Uniform, job.EpsilonUniform, smoothing.Classes).ExpectedSignedGap(job.Accuracy)).ToArray();
        return new(earlier.Count, accuracy, gap, GapDifference.Of(differences), Math.Abs(gap) < LargeGap ? [] : [Warning(smoothing, accuracy, gap)]);
    }

    private static string Warning(LabelSmoothing smoothing, double accuracy, double gap) => string.Create(CultureInfo.InvariantCulture,
        $"Accuracy here is {accuracy:0.00}; at its optimum ε = {smoothing.EpsilonUniform:0.###} is {(gap < 0 ? "under" : "over")}-confident by about {Math.Abs(gap):0.00}.");
}

/// <summary>What an earlier job came to.</summary>
/// <param name="EpsilonUniform">Its ε as `uniform`.</param>
/// <param name="Accuracy">Of its test set.</param>
/// <param name="SignedGap">Mean confidence − accuracy of its test set.</param>
public sealed record EarlierJob(double EpsilonUniform, double Accuracy, double SignedGap);

/// <summary>Measured − expected signed gap, over some jobs.</summary>
/// <param name="Mean">On average: above 0, training stopped more confident than at the optimum, or over-fits.</param>
/// <param name="Deviation">Standard deviation; 0 for one job.</param>
public sealed record GapDifference(double Mean, double Deviation)
{
    internal static GapDifference Of(double[] differences)
    {
        var mean = differences.Average();
        return new(mean, differences.Length == 1 ? 0 : Math.Sqrt(differences.Sum(d => (d - mean) * (d - mean)) / (differences.Length - 1)));
    }
}
