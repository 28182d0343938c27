using System.Globalization;
using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>
/// What smoothing does in a study, in sentences, each with its numbers: test-set means, and differences paired by seed with their
/// 95 % intervals. Which ε each sentence shows is chosen on validation: the best of several by the figures shown would look better
/// than it is.
/// </summary>
internal sealed class Findings
{
    private const double Tail = 0.025;

    private readonly StudySpec study;
    private readonly ILookup<int, StudyJob> jobs;
    private readonly StudyArm plain;
    private readonly StudyArm[] smoothed;

    private Findings(StudySpec study, ILookup<int, StudyJob> jobs, StudyArm plain, StudyArm[] smoothed) => (this.study, this.jobs, this.plain, this.smoothed) = (study, jobs, plain, smoothed);

    /// <param name="chosen">Those that differ from it in ε alone are spoken of.</param>
    /// <param name="arms">With jobs that have succeeded.</param>
    /// <returns>Empty unless there are arms with and without smoothing among them.</returns>
    public static IReadOnlyList<string> Of(StudySpec study, Arm chosen, IReadOnlyList<StudyArm> arms, ILookup<int, StudyJob> jobs)
    {
        // ε = 0 is trained in one convention only, being the same in both.
        bool IsBeside(Arm arm) => arm with { Epsilon = 0, Smoothing = chosen.Smoothing } == chosen with { Epsilon = 0 };
        if (arms.FirstOrDefault(arm => arm.Arm.Epsilon == 0 && IsBeside(arm.Arm)) is not { } plain) return [];
        StudyArm[] smoothed = [.. arms.Where(arm => arm.Arm.Epsilon > 0 && arm.Arm.Smoothing == chosen.Smoothing && IsBeside(arm.Arm)).OrderBy(arm => arm.Arm.Epsilon)];
        return smoothed.Length == 0 ? [] : [.. new Findings(study, jobs, plain, smoothed).All(chosen.LabelNoise)];
    }

    private IEnumerable<string> All(double labelNoise)
    {
        var largest = smoothed[^1];
        yield return $"Over-fitting: {Change("the train–test gap in accuracy", job => job.TrainTestGap, Best(job => Math.Abs(job.TrainAccuracy - job.Scores.Validation.Accuracy)))}{(labelNoise > 0 ? " (training accuracy is against the noisy labels)" : "")}.";
        var calibrated = Best(job => job.Scores.Validation.Ece);
        yield return $"Calibration before temperature: {Change("ECE", job => job.Scores.Test.Ece, calibrated)}; the signed gap goes from {Mean(plain, job => job.Scores.Test.SignedGap)} to {Mean(calibrated, job => job.Scores.Test.SignedGap)}.";
        yield return $"Calibration after temperature: {Change("ECE", job => job.Scores.Test.EceAfterTemperature, Best(job => job.Scores.Validation.EceAfterTemperature))}; temperature alone brings ε = 0 from {Mean(plain, job => job.Scores.Test.Ece)} to {Mean(plain, job => job.Scores.Test.EceAfterTemperature)}.";
        var accurate = Best(job => -job.Scores.Validation.Accuracy);
        yield return labelNoise > 0
            ? $"Robustness to label noise of {labelNoise.ToString(CultureInfo.InvariantCulture)}: {Change("test accuracy", job => job.Scores.Test.Accuracy, accurate)}: {Gain(accurate)}."
            : $"Accuracy: {Change("test accuracy", job => job.Scores.Test.Accuracy, accurate)}.";
        yield return $"Under-fitting at large ε: {Change("training accuracy", job => job.TrainAccuracy, largest)}; {Change("test accuracy", job => job.Scores.Test.Accuracy, largest)}.";
        yield return $"Selective risk: {Change("AURC", job => job.Scores.Test.Aurc, Best(job => job.Scores.Validation.Aurc))}.";
    }

    /// <summary>The smoothed arm with the lowest mean.</summary>
    private StudyArm Best(Func<StudyJob, double> figure) => smoothed.MinBy(arm => jobs[arm.Number].Average(figure))!;

    /// <summary>Means over the seeds that both arms have, so that they tell what their difference tells.</summary>
    private string Change(string what, Func<StudyJob, double> figure, StudyArm arm)
    {
        var common = jobs[plain.Number].Select(job => job.Seed).Intersect(jobs[arm.Number].Select(job => job.Seed)).ToHashSet();
        if (common.Count == 0) return $"{what} cannot be compared: {Name(plain)} and {Name(arm)} have no seed in common";
        string Over(StudyArm one) => Numbers.Show(jobs[one.Number].Where(job => common.Contains(job.Seed)).Average(figure));
        var (difference, interval) = Difference(figure, arm);
        var between = $"{what} is {Over(plain)} at {Name(plain)} and {Over(arm)} at {Name(arm)}";
        if (interval is not { } range) return between;
        var sure = range.Low > 0 || range.High < 0;
        return $"{between}, {(sure ? (difference > 0 ? "higher" : "lower") : "no significant difference")} ({Signed(difference)}, 95 % interval {Signed(range.Low)} to {Signed(range.High)})";
    }

    private string Gain(StudyArm arm)
    {
        var (_, interval) = Difference(job => job.Scores.Test.Accuracy, arm);
        return interval switch
        {
            { Low: > 0 } => "smoothing gains accuracy",
            { High: < 0 } => "smoothing loses accuracy",
            _ => "smoothing does not gain accuracy that these seeds could show",
        };
    }

    private (double Difference, Interval? Interval) Difference(Func<StudyJob, double> figure, StudyArm arm)
    {
        var difference = PairedDifference.Of(BySeed(arm, figure), BySeed(plain, figure));
        return (difference.Mean, difference.Interval(Tail));
    }

    private Dictionary<long, double> BySeed(StudyArm arm, Func<StudyJob, double> figure) => jobs[arm.Number].ToDictionary(job => job.Seed, figure);

    private string Mean(StudyArm arm, Func<StudyJob, double> figure) => Numbers.Show(jobs[arm.Number].Average(figure));

    private string Name(StudyArm arm) => arm.Arm.Label(study);

    private static string Signed(double value) => (value >= 0 ? "+" : "−") + Numbers.Show(Math.Abs(value));
}
