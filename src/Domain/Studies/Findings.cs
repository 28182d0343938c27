using System.Globalization;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>
/// Describes the effects of smoothing, of other losses and of mixup in a study, in sentences with their numbers: means on the test
/// set, and differences paired by seed with their intervals. The arm of each sentence is chosen on validation, because the best
/// of several by the figures shown would look better than it is.
/// </summary>
internal static class Findings
{
    /// <param name="chosen">The findings on losses compare the arms that differ from this one only in the loss and its ε, and those
    /// on mixup the arms that differ from it only in mixup.</param>
    /// <param name="arms">The arms that have succeeded jobs.</param>
    /// <returns>Those on losses need an arm of cross-entropy without smoothing and another one, that on mixup an arm without and
    /// another with it.</returns>
    public static IReadOnlyList<string> Of(StudySpec study, Arm chosen, IReadOnlyList<StudyArm> arms, ILookup<int, StudyJob> jobs) =>
        [.. OnLosses(study, chosen, arms, jobs), .. OnMixup(study, chosen, arms, jobs)];

    private static IEnumerable<string> OnLosses(StudySpec study, Arm chosen, IReadOnlyList<StudyArm> arms, ILookup<int, StudyJob> jobs)
    {
        LossName LossOf(Arm arm) => arm.On(study.Job).Loss;
        var compared = arms.Where(arm => arm.Arm.WithoutLoss() == chosen.WithoutLoss()).ToLookup(arm => LossOf(arm.Arm));
        if (arms.FirstOrDefault(arm => arm.Arm == chosen.Plain(study, arms.Select(one => one.Arm))) is not { } hardLabels)
            return [];
        var plain = new ReferenceArm(study, jobs, hardLabels);
        var risk = RiskFigure.OfAll(compared.SelectMany(one => one).SelectMany(arm => jobs[arm.Number]));
        var convention = LossOf(chosen) == LossName.CrossEntropy ? chosen.Smoothing : hardLabels.Arm.Smoothing;
        StudyArm[] smoothed =
        [
            .. compared[LossName.CrossEntropy]
                .Where(arm => arm.Arm.Epsilon > 0 && arm.Arm.Smoothing == convention)
                .OrderBy(arm => arm.Arm.Epsilon),
        ];
        return
        [
            .. smoothed.Length == 0 ? [] : OnSmoothing(plain, smoothed, study, risk),
            .. compared
                .Where(one => one.Key != LossName.CrossEntropy)
                .OrderBy(one => one.Key)
                .Select(one => one.Where(arm => arm != hardLabels).ToArray())
                .Where(one => one.Length > 0)
                .Select(one => OnLoss(plain, plain.Best(one), risk)),
        ];
    }

    private static string OnLoss(ReferenceArm plain, ComparedArm best, RiskFigure risk) =>
        $"Another loss: {plain.Change("NLL after temperature", job => job.Scores.Test.NllAfterTemperature, best)}; "
        + $"{plain.Change("test accuracy", job => job.Scores.Test.Accuracy, best, plain.OneTestImage)}; "
        + $"{plain.Change(risk.Name, job => risk.Of(job.Scores.Test), best)}.";

    private static IEnumerable<string> OnMixup(StudySpec study, Arm chosen, IReadOnlyList<StudyArm> arms, ILookup<int, StudyJob> jobs)
    {
        var compared = arms.Where(arm => arm.Arm.WithoutMixup() == chosen.WithoutMixup()).ToLookup(arm => arm.Arm.On(study.Job).Mixup > 0);
        if (compared[false].FirstOrDefault() is not { } unmixed || !compared[true].Any())
            yield break;
        var without = new ReferenceArm(study, jobs, unmixed);
        var best = without.Best([.. compared[true]]);
        yield return $"Mixup: {without.Change("NLL after temperature", job => job.Scores.Test.NllAfterTemperature, best)}; "
            + $"{without.Change("test accuracy", job => job.Scores.Test.Accuracy, best, without.OneTestImage)}; "
            + $"{without.Change("the signed gap, negative when under-confident,", job => job.Scores.Test.SignedGap, best)}.";
    }

    /// <param name="smoothed">Arms in the order of ε.</param>
    private static IEnumerable<string> OnSmoothing(ReferenceArm plain, StudyArm[] smoothed, StudySpec study, RiskFigure risk)
    {
        var labelNoise = plain.Arm.Arm.LabelNoise;
        var largest = smoothed[^1];
        var fitting = plain.Best(smoothed, job => Math.Abs(job.TrainAccuracy - job.Scores.Validation.Accuracy));
        var trainingNote =
            labelNoise > 0 ? " (training accuracy is against the noisy labels)"
            : plain.Arm.Arm.On(study.Job) is { Mixup: > 0 } or { Dropout: > 0 }
                ? " (training accuracy is that of mixed images or with dropout)"
            : "";
        var gapNote =
            trainingNote.Length > 0 ? trainingNote
            : plain.Means(job => job.TrainTestGap, fitting) is { Own: <= 0 } ? ": at ε = 0 there is no gap to close"
            : "";
        yield return $"Over-fitting: {plain.Change("the train–test gap in accuracy", job => job.TrainTestGap, fitting, plain.OneTestImage)}"
            + $"{gapNote}.";
        var calibrated = plain.Best(smoothed, job => job.Scores.Validation.Ece);
        var gaps = plain.Means(job => job.Scores.Test.SignedGap, calibrated);
        var signedGap = gaps is var (before, after) ? $"; the signed gap goes from {Numeral.Show(before)} to {Numeral.Show(after)}" : "";
        yield return $"Calibration before temperature: {plain.Change("ECE", job => job.Scores.Test.Ece, calibrated)}{signedGap}.";
        var tempered = plain.Best(smoothed, job => job.Scores.Validation.EceAfterTemperature);
        yield return "Calibration after temperature: "
            + $"{plain.Change("ECE", job => job.Scores.Test.EceAfterTemperature, tempered)}{TemperatureAlone(plain, tempered)}.";
        var accurate = plain.Best(smoothed, job => -job.Scores.Validation.Accuracy);
        var accuracy = plain.Change("test accuracy", job => job.Scores.Test.Accuracy, accurate, plain.OneTestImage);
        yield return labelNoise > 0
            ? $"Robustness to label noise of {labelNoise.ToString(CultureInfo.InvariantCulture)}: {accuracy}: {Gain(plain, accurate)}."
            : $"Accuracy: {accuracy}.";
        if (OnCorruption(plain, plain.Best(smoothed)) is { } corruption)
            yield return corruption;
        var underFits = plain.Range(job => job.TrainAccuracy, largest, plain.OneTrainingImage) switch
        {
            null => "",
            { High: < 0 } => $": {plain.Name(largest)} fits the training images less well",
            { Low: > -0.01 } => ": a loss of a percentage point of training accuracy is ruled out",
            _ => ": these seeds cannot show whether there is any",
        };
        yield return "Under-fitting at large ε: "
            + $"{plain.Change("training accuracy", job => job.TrainAccuracy, largest, plain.OneTrainingImage)}{trainingNote}; "
            + $"{plain.Change("test accuracy", job => job.Scores.Test.Accuracy, largest, plain.OneTestImage)}{underFits}.";
        var selective = plain.Best(smoothed, job => risk.Of(job.Scores.Validation));
        yield return $"Selective risk: {plain.Change(risk.Name, job => risk.Of(job.Scores.Test), selective)}.";
    }

    /// <returns>Null unless the two arms have figures on corrupted images with a common seed.</returns>
    private static string? OnCorruption(ReferenceArm plain, ComparedArm best)
    {
        static double? Accuracy(StudyJob job) => job.Corrupted?.Accuracy;
        static double? Ece(StudyJob job) => job.Corrupted?.EceAfterTemperature;
        if (plain.Means(Accuracy, best) is null)
            return null;
        var resolution = plain.OneTestImage / Corruption.All.Count;
        var verdict = (plain.Direction(Accuracy, best, resolution), -plain.Direction(Ece, best)) switch
        {
            (null, _) => "",
            (> 0, >= 0) or (0, > 0) => ": smoothing helps under corruption",
            (< 0, <= 0) or (0, < 0) => ": smoothing harms under corruption",
            (0, _) => ": smoothing does not help under corruption that these seeds could show",
            _ => ": smoothing helps one and harms the other under corruption",
        };
        return $"Robustness to corruption: {plain.Change("accuracy on corrupted test images", Accuracy, best, resolution)}; "
            + $"{plain.Change("their ECE after temperature", Ece, best)}{verdict}.";
    }

    /// <param name="beside">The means are taken over the seeds that this arm has in common with ε = 0.</param>
    private static string TemperatureAlone(ReferenceArm plain, ComparedArm beside)
    {
        if (
            (plain.Means(job => job.Scores.Test.Ece, beside), plain.Means(job => job.Scores.Test.EceAfterTemperature, beside))
            is not
            (var (before, _), var (after, _))
        )
            return "";
        return $"; temperature alone {(after < before ? "brings" : "does not help")} ε = 0{(after < before ? "" : ":")} from "
            + $"{Numeral.Show(before)} to {Numeral.Show(after)}";
    }

    /// <summary>AUGRC, or AURC if some of the jobs lack it, which a worker of an older build trained.</summary>
    private sealed record RiskFigure(string Name, Func<SplitScores, double?> Of)
    {
        public static RiskFigure OfAll(IEnumerable<StudyJob> jobs) =>
            jobs.All(job => job.Scores is { Validation.Augrc: not null, Test.Augrc: not null })
                ? new("AUGRC", scores => scores.Augrc)
                : new("AURC, because some jobs have no AUGRC,", scores => scores.Aurc);
    }

    private static string Gain(ReferenceArm plain, ComparedArm arm) =>
        plain.Direction(job => job.Scores.Test.Accuracy, arm, plain.OneTestImage) switch
        {
            > 0 => "smoothing gains accuracy",
            < 0 => "smoothing loses accuracy",
            _ => "smoothing does not gain accuracy that these seeds could show",
        };
}
