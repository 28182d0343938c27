using System.Globalization;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>
/// Describes the effects of smoothing and of other losses in a study, in sentences with their numbers: means on the test set, and
/// differences paired by seed with their 95 % intervals. The arm of each sentence is chosen on validation, because the best of
/// several by the figures shown would look better than it is.
/// </summary>
internal sealed class Findings
{
    private const double Tail = 0.025;

    private readonly StudySpec study;
    private readonly ILookup<int, StudyJob> jobs;
    private readonly StudyArm plain;
    private readonly StudyArm[] smoothed;

    /// <summary>
    /// The smallest difference that two accuracies can have, on the test set and on the training images: one image.
    /// </summary>
    private readonly double onTest,
        onTraining;

    private Findings(StudySpec study, ILookup<int, StudyJob> jobs, StudyArm plain, StudyArm[] smoothed)
    {
        (this.study, this.jobs, this.plain, this.smoothed) = (study, jobs, plain, smoothed);
        var card = study.Job.DatasetCard()!;
        onTest = 1.0 / smoothed.Append(plain).SelectMany(arm => jobs[arm.Number]).Min(job => job.TestImages ?? card.TestImages);
        onTraining = 1 / card.Trained(plain.Arm.On(study.Job).ValidationFraction);
    }

    /// <param name="chosen">The findings compare the arms that differ from this one only in the loss and its ε.</param>
    /// <param name="arms">The arms that have succeeded jobs.</param>
    /// <returns>Empty unless an arm of cross-entropy without smoothing and another one are among the compared ones.</returns>
    public static IReadOnlyList<string> Of(StudySpec study, Arm chosen, IReadOnlyList<StudyArm> arms, ILookup<int, StudyJob> jobs)
    {
        LossName LossOf(Arm arm) => arm.On(study.Job).Loss;
        var compared = arms.Where(arm => arm.Arm.WithoutLoss() == chosen.WithoutLoss()).ToLookup(arm => LossOf(arm.Arm));
        if (arms.FirstOrDefault(arm => arm.Arm == chosen.Plain(study, arms.Select(one => one.Arm))) is not { } plain)
            return [];
        var convention = LossOf(chosen) == LossName.CrossEntropy ? chosen.Smoothing : plain.Arm.Smoothing;
        StudyArm[] smoothed =
        [
            .. compared[LossName.CrossEntropy]
                .Where(arm => arm.Arm.Epsilon > 0 && arm.Arm.Smoothing == convention)
                .OrderBy(arm => arm.Arm.Epsilon),
        ];
        var findings = new Findings(study, jobs, plain, smoothed);
        return
        [
            .. smoothed.Length == 0 ? [] : findings.OnSmoothing(chosen.LabelNoise),
            .. compared
                .Where(one => one.Key != LossName.CrossEntropy)
                .OrderBy(one => one.Key)
                .Select(one => one.Where(arm => arm != plain).ToArray())
                .Where(one => one.Length > 0)
                .Select(findings.OnLoss),
        ];
    }

    /// <param name="arms">Those of one loss.</param>
    private string OnLoss(StudyArm[] arms)
    {
        var best = Best(arms, job => job.Scores.Validation.LossBy(study.Criterion)!.Value);
        return $"Another loss: {Change("NLL after temperature", job => job.Scores.Test.NllAfterTemperature, best)}; "
            + $"{Change("test accuracy", job => job.Scores.Test.Accuracy, best, onTest)}; "
            + $"{Change("AURC", job => job.Scores.Test.Aurc, best)}.";
    }

    private IEnumerable<string> OnSmoothing(double labelNoise)
    {
        var largest = smoothed[^1];
        var fitting = Best(job => Math.Abs(job.TrainAccuracy - job.Scores.Validation.Accuracy));
        var gapNote =
            labelNoise > 0 ? " (training accuracy is against the noisy labels)"
            : plain.Arm.On(study.Job) is { Mixup: > 0 } or { Dropout: > 0 } ? " (training accuracy is that of mixed images or with dropout)"
            : Means(job => job.TrainTestGap, fitting) is { Plain: <= 0 } ? ": at ε = 0 there is no gap to close"
            : "";
        yield return $"Over-fitting: {Change("the train–test gap in accuracy", job => job.TrainTestGap, fitting, onTest)}{gapNote}.";
        var calibrated = Best(job => job.Scores.Validation.Ece);
        var gaps = Means(job => job.Scores.Test.SignedGap, calibrated);
        var signedGap = gaps is var (before, after) ? $"; the signed gap goes from {Numeral.Show(before)} to {Numeral.Show(after)}" : "";
        yield return $"Calibration before temperature: {Change("ECE", job => job.Scores.Test.Ece, calibrated)}{signedGap}.";
        var tempered = Best(job => job.Scores.Validation.EceAfterTemperature);
        yield return "Calibration after temperature: "
            + $"{Change("ECE", job => job.Scores.Test.EceAfterTemperature, tempered)}{TemperatureAlone(tempered)}.";
        var accurate = Best(job => -job.Scores.Validation.Accuracy);
        yield return labelNoise > 0
            ? $"Robustness to label noise of {labelNoise.ToString(CultureInfo.InvariantCulture)}: "
                + $"{Change("test accuracy", job => job.Scores.Test.Accuracy, accurate, onTest)}: {Gain(accurate)}."
            : $"Accuracy: {Change("test accuracy", job => job.Scores.Test.Accuracy, accurate, onTest)}.";
        var underFits = Difference(job => job.TrainAccuracy, largest, onTraining).Interval(Tail) switch
        {
            null => "",
            { High: < 0 } => $": {Name(largest)} fits the training images less well",
            _ => ": no sign of it",
        };
        yield return $"Under-fitting at large ε: {Change("training accuracy", job => job.TrainAccuracy, largest, onTraining)}; "
            + $"{Change("test accuracy", job => job.Scores.Test.Accuracy, largest, onTest)}{underFits}.";
        yield return $"Selective risk: {Change("AURC", job => job.Scores.Test.Aurc, Best(job => job.Scores.Validation.Aurc))}.";
    }

    private StudyArm Best(Func<StudyJob, double> figure) => Best(smoothed, figure);

    /// <summary>The arm with the lowest mean, adjusted for missing seeds by <see cref="SeedAdjusted"/>.</summary>
    private StudyArm Best(StudyArm[] arms, Func<StudyJob, double> figure)
    {
        var means = SeedAdjusted.Means([.. arms.Select(arm => new ArmLosses(arm.Number, BySeed(arm, figure)))]);
        return arms.MinBy(arm => means[arm.Number])!;
    }

    /// <param name="resolution">The smallest difference that two values of the figure can have; 0 for a continuous
    /// figure.</param>
    private string Change(string what, Func<StudyJob, double> figure, StudyArm arm, double resolution = 0)
    {
        if (Means(figure, arm) is not var (without, with))
            return $"{what} cannot be compared: {Name(plain)} and {Name(arm)} have no seed in common";
        var difference = Difference(figure, arm, resolution);
        var between = $"{what} is {Numeral.Show(without)} at {Name(plain)} and {Numeral.Show(with)} at {Name(arm)}";
        if (difference.Interval(Tail) is not { } range)
            return between;
        var sure = range.Low > 0 || range.High < 0;
        return $"{between}, {(sure ? (difference.Mean > 0 ? "higher" : "lower") : "no significant difference")} "
            + $"({Signed(difference.Mean)}{(difference.IsConstant ? " with every seed" : "")}, 95 % interval "
            + $"{Signed(range.Low)} to {Signed(range.High)})";
    }

    /// <summary>Means over the seeds that both arms have, as for their difference; null without a common seed.</summary>
    private (double Plain, double Smoothed)? Means(Func<StudyJob, double> figure, StudyArm arm)
    {
        var (without, with) = (BySeed(plain, figure), BySeed(arm, figure));
        var common = without.Keys.Intersect(with.Keys).ToArray();
        return common.Length == 0 ? null : (common.Average(seed => without[seed]), common.Average(seed => with[seed]));
    }

    /// <param name="beside">The means are taken over the seeds that this arm has in common with ε = 0.</param>
    private string TemperatureAlone(StudyArm beside)
    {
        if (
            (Means(job => job.Scores.Test.Ece, beside), Means(job => job.Scores.Test.EceAfterTemperature, beside))
            is not
            (var (before, _), var (after, _))
        )
            return "";
        return $"; temperature alone {(after < before ? "brings" : "does not help")} ε = 0{(after < before ? "" : ":")} from "
            + $"{Numeral.Show(before)} to {Numeral.Show(after)}";
    }

    private string Gain(StudyArm arm)
    {
        return Difference(job => job.Scores.Test.Accuracy, arm, onTest).Interval(Tail) switch
        {
            { Low: > 0 } => "smoothing gains accuracy",
            { High: < 0 } => "smoothing loses accuracy",
            _ => "smoothing does not gain accuracy that these seeds could show",
        };
    }

    private PairedDifference Difference(Func<StudyJob, double> figure, StudyArm arm, double resolution) =>
        PairedDifference.Of(BySeed(arm, figure), BySeed(plain, figure), resolution);

    private Dictionary<long, double> BySeed(StudyArm arm, Func<StudyJob, double> figure) =>
        jobs[arm.Number].ToDictionary(job => job.Seed, figure);

    private string Name(StudyArm arm) => arm.Arm.Label(study);

    private static string Signed(double value) => (value >= 0 ? "+" : "−") + Numeral.Show(Math.Abs(value));
}
