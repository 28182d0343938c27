using System.Globalization;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>The contents of a recommendation, which this record puts into words.</summary>
/// <param name="IsOver">Whether no job is left to run.</param>
/// <param name="Temperature">Mean T of the chosen arm's models.</param>
/// <param name="TemperatureHelps">Whether T makes the chosen arm better on validation by more than one standard error, cross-fitted;
/// null when fewer than two of its jobs have the figures.</param>
/// <param name="HardLabels">The arm of plain training on hard labels that differs from the chosen one only in loss and mixup, and
/// whether the chosen one is significantly better; null when no such arm was compared.</param>
/// <param name="MoreAccurate">By a criterion that does not see accuracy, the most accurate of the judged arms whose validation accuracy
/// is significantly higher than that of the chosen one, and both accuracies.</param>
/// <param name="Lowest">The judged arm with the lowest mean loss.</param>
/// <param name="Ranked">All arms with results that did not diverge, the lowest mean loss first.</param>
/// <param name="Tied">Arms that may be the best, in the order of the grid. All lists of arms below have the same order.</param>
/// <param name="AsSimple">Number of tied arms whose training is as simple as that of the chosen one.</param>
/// <param name="Nearest">The judged arm with the lowest mean besides the chosen one, and both means, if every other judged arm
/// is significantly worse than the chosen one; otherwise null.</param>
/// <param name="NotJudged">Arms that have too few seeds compared with the others.</param>
/// <param name="Dropped">Arms that successive halving dropped.</param>
/// <param name="Constant">Arms whose difference to <paramref name="Lowest"/> is the same with every seed.</param>
/// <param name="Diverged">One clause for each arm that diverged with some seeds.</param>
/// <param name="Closest">The two tied arms with the lowest means; a single arm when nothing is tied.</param>
/// <param name="MoreSeeds">Number of additional seeds that would probably separate these two; null when it is unknown.</param>
internal sealed record Conclusion(
    StudySpec Study,
    bool IsOver,
    double? LabelNoise,
    bool DifferenceExists,
    Arm Chosen,
    double Temperature,
    bool? TemperatureHelps,
    (Arm Arm, bool IsWorse)? HardLabels,
    (Arm Arm, double Own, double Its)? MoreAccurate,
    Arm Lowest,
    IReadOnlyList<Arm> Ranked,
    IReadOnlyList<Arm> Tied,
    int AsSimple,
    (Arm Arm, double Own, double Its)? Nearest,
    IReadOnlyList<Arm> NotJudged,
    IReadOnlyList<Arm> Dropped,
    IReadOnlyList<Arm> Constant,
    IReadOnlyList<string> Diverged,
    Power Power,
    IReadOnlyList<Arm> Closest,
    int? MoreSeeds
)
{
    public string Sentence() =>
        Answer()
        + ThanHardLabels()
        + LessAccurate()
        + (
            Constant.Count == 0
                ? ""
                : $" The difference between {Name(Lowest)} and {Names(Constant)} is the same with every seed, as far as "
                    + $"{Study.Criterion.InWords()} can tell: its resolution counts as the spread."
        )
        + (Dropped.Count == 0 ? "" : $" Halving dropped {Names(Dropped)} as clearly worse.")
        + (
            Diverged.Count == 0
                ? ""
                : $" {string.Join("; ", Diverged)}. Such an arm is not ranked: its other seeds are those that went well."
        )
        + (NotJudged.Count == 0 ? "" : $" Too few jobs have succeeded to judge {Names(NotJudged)}.");

    public RecommendedAction Action() =>
        Loss switch
        {
            { Mixup: > 0 } => RecommendedAction.Mixup,
            { IsCrossEntropy: false } => RecommendedAction.OtherLoss,
            { IsPlain: false } => RecommendedAction.Smooth,
            _ => Calibrates == true ? RecommendedAction.Calibrate : RecommendedAction.Nothing,
        };

    /// <summary>What to do, without its reasons, and whether a comparison supports it.</summary>
    public string InShort()
    {
        var training = Action() switch
        {
            RecommendedAction.Smooth => $"smooth the labels with {Loss.InWords()}",
            RecommendedAction.OtherLoss or RecommendedAction.Mixup => $"train with {Loss.InWords()}",
            _ => "train with cross-entropy on hard labels",
        };
        var found =
            IsAlone ? "only one training can be judged: to "
            : Power.Seeds < 2 ? "one seed shows no difference; the simplest is to "
            : !DifferenceExists ? "no difference was shown; the simplest is to "
            : "";
        var afterwards = Calibrates switch
        {
            true => string.Create(
                CultureInfo.InvariantCulture,
                $", and calibrate afterwards: divide the logits by the temperature of the model that you use ({Temperature:0.00} on "
                    + $"average)"
            ),
            false => ", and use the model as it is: a temperature gains no more than its standard error",
            null => "",
        };
        var unknown = Loss.IsPlain || HardLabels is not null ? "" : " It was not compared with plain training on hard labels.";
        var text = $"{found}{training}{afterwards}.{unknown}";
        return IsOver ? char.ToUpperInvariant(text[0]) + text[1..] : $"So far: {text}";
    }

    /// <summary>
    /// Whether to calibrate afterwards: if T helps the chosen arm. Where that is unknown, a criterion after temperature has
    /// compared the arms with T; otherwise null.
    /// </summary>
    private bool? Calibrates => TemperatureHelps ?? (Study.Criterion.LooksAfterTemperature() ? true : null);

    private int Judged => Ranked.Count - NotJudged.Count - Dropped.Count;

    private bool IsAlone => Judged == 1 && Dropped.Count == 0;

    private TrainingLoss Loss => Chosen.On(Study.Job).TrainingLoss();

    private string Answer()
    {
        var by =
            $"by {Study.Criterion.InWords()} on "
            + $"validation{(LabelNoise is { } noise ? string.Create(CultureInfo.InvariantCulture, $" under label noise {noise}") : "")}";
        if (Ranked.Count == 1)
            return $"Only {Name(Chosen)} {(Diverged.Count > 0 ? "can be judged" : "has results")}: there is nothing to compare it with.";
        if (Power.Seeds < 2)
            return $"One seed tells nothing of chance: {by} {Name(Lowest)} came out lowest, which a second seed may turn round. "
                + $"Until then prefer {Preferred()}.";
        if (IsAlone)
            return $"Only {Name(Chosen)} has enough seeds to be judged.";
        if (!DifferenceExists)
            return $"No significant difference {by} with {Power.Seeds} seeds: prefer {Preferred()}.{Reach()}{More()}";
        var use = Study.Criterion.LooksAfterTemperature() ? AsUsed : Name(Chosen);
        var worse = Judged - Tied.Count;
        var beaten = worse > 0 ? $"; {worse} of {Judged} {(worse == 1 ? "is" : "are")} significantly worse than some arm" : "";
        if (Tied.Count > 1)
            return $"Use {use}: {by} of the {Tied.Count} arms that may be the best ({Names(Tied)}) it has {Least()}{beaten}."
                + $"{Reach()}{More()}";
        if (Judged == 1)
            return $"Use {use}: {by} it alone is left.";
        if (Nearest is not var (arm, own, its))
            return $"Use {use}: {by}, with {Power.Seeds} seeds, every other arm is significantly worse than some arm.";
        var (lower, higher) = Numeral.ShowApart(own, its);
        return $"Use {use}: {by}, with {Power.Seeds} seeds, every other arm is significantly worse ({lower} against {higher} at "
            + $"{Name(arm)}, which comes nearest).";
    }

    /// <summary>The preference when no arms differ significantly.</summary>
    private string Preferred() => Loss.IsPlain ? AsUsed : $"{AsUsed}, which has {Least()}";

    private string ThanHardLabels() =>
        !DifferenceExists || Nearest is not null || HardLabels is not var (arm, isWorse) ? ""
        : isWorse ? $" It is significantly better than {Name(arm)}."
        : $" It is not shown to be better than {Name(arm)}.";

    private string LessAccurate()
    {
        if (MoreAccurate is not var (arm, own, its))
            return "";
        var (lower, higher) = Numeral.ShowApart(own, its);
        return $" No ECE sees accuracy: that of {Name(Chosen)} on validation is significantly lower than that of {Name(arm)} ({lower} "
            + $"against {higher}).";
    }

    private string Least() =>
        AsSimple == Tied.Count ? "the lowest mean"
        : Study.Losses().Count > 1 || Study.Grid?.Mixup is { Count: > 1 }
            ? AsSimple > 1 ? "the simplest training, and the lowest mean of those as simple"
                : "the simplest training"
        : AsSimple > 1 ? "the least smoothing, and the lowest mean of those with as little"
        : "the least smoothing";

    private string AsUsed =>
        Calibrates == true
            ? string.Create(CultureInfo.InvariantCulture, $"{Name(Chosen)} with temperature (T = {Temperature:0.00} on average)")
            : Name(Chosen);

    private string Reach() =>
        Power.DetectableDifference is { } difference
            ? $" With {Power.Seeds} seeds a true difference of {Numeral.Show(difference)} between two arms is found four times in five."
            : "";

    private string More() =>
        MoreSeeds is null
            ? ""
            : $" If {Name(Closest[0])} and {Name(Closest[1])}, the lowest two, differ as they seem to, {MoreSeeds} more "
                + $"{(MoreSeeds == 1 ? "seed" : "seeds")} would probably tell them apart.";

    private string Names(IEnumerable<Arm> arms) => string.Join("; ", arms.Select(Name));

    private string Name(Arm arm) => arm.Label(Study);
}
