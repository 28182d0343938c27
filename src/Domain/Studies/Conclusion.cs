using System.Globalization;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>The contents of a recommendation, which this record puts into words.</summary>
/// <param name="Temperature">T of the chosen arm.</param>
/// <param name="TemperatureHelps">Whether T lowers the NLL of the chosen arm on validation, cross-fitted.</param>
/// <param name="Ranked">All arms with results that did not diverge, the lowest mean loss first.</param>
/// <param name="Tied">Arms that may be the best, in the order of the grid. All lists of arms below have the same order.</param>
/// <param name="AsSimple">Number of tied arms whose training is as simple as that of the chosen one.</param>
/// <param name="Nearest">The judged arm with the lowest mean besides the chosen one, and both means, if every other judged arm
/// is significantly worse than the chosen one; otherwise null.</param>
/// <param name="NotJudged">Arms that have too few seeds compared with the others.</param>
/// <param name="Dropped">Arms that successive halving dropped.</param>
/// <param name="Constant">Arms whose difference to the arm with the lowest mean is the same with every seed.</param>
/// <param name="Diverged">One clause for each arm that diverged with some seeds.</param>
/// <param name="Closest">The two tied arms with the lowest means; a single arm when nothing is tied.</param>
/// <param name="MoreSeeds">Number of additional seeds that would probably separate these two; null when it is unknown.</param>
internal sealed record Conclusion(
    StudySpec Study,
    double? LabelNoise,
    bool DifferenceExists,
    Arm Chosen,
    double Temperature,
    bool TemperatureHelps,
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
        + (
            Constant.Count == 0
                ? ""
                : $" The difference between {Name(Ranked[0])} and {Names(Constant)} is the same with every seed, as far as "
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
            _ => Calibrates ? RecommendedAction.Calibrate : RecommendedAction.Nothing,
        };

    /// <summary>What to do, in one sentence without its reasons.</summary>
    public string InShort()
    {
        var training = Action() switch
        {
            RecommendedAction.Smooth => $"Smooth the labels with {Loss.InWords()}",
            RecommendedAction.OtherLoss or RecommendedAction.Mixup => $"Train with {Loss.InWords()}",
            _ => "Train with cross-entropy on hard labels",
        };
        return Calibrates
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{training}, and calibrate afterwards: divide the logits by T = {Temperature:0.00}."
            )
            : $"{training}, and use the model as it is.";
    }

    /// <summary>
    /// Whether to calibrate afterwards: always by a criterion after temperature. By the others, smoothing stands for calibration, so
    /// only without it, and only if T helps.
    /// </summary>
    private bool Calibrates => Study.Criterion.LooksAfterTemperature() || (Loss.IsPlain && TemperatureHelps);

    private TrainingLoss Loss => Chosen.On(Study.Job).TrainingLoss();

    private string Answer()
    {
        var by =
            $"by {Study.Criterion.InWords()} on "
            + $"validation{(LabelNoise is { } noise ? string.Create(CultureInfo.InvariantCulture, $" under label noise {noise}") : "")}";
        if (Ranked.Count == 1)
            return $"Only {Name(Chosen)} {(Diverged.Count > 0 ? "can be judged" : "has results")}: there is nothing to compare it with.";
        if (Power.Seeds < 2)
            return $"One seed tells nothing of chance: {by} {Name(Ranked[0])} came out lowest, which a second seed may turn round. "
                + $"Until then prefer {Preferred()}.";
        var others = Ranked.Count - NotJudged.Count - Dropped.Count;
        if (others == 1 && Dropped.Count == 0)
            return $"Only {Name(Chosen)} has enough seeds to be judged.";
        if (!DifferenceExists)
            return $"No significant difference {by} with {Power.Seeds} seeds: prefer {Preferred()}.{Reach()}{More()}";
        var use = Study.Criterion.LooksAfterTemperature() ? WithTemperature : Name(Chosen);
        var worse = others - Tied.Count;
        var beaten = worse > 0 ? $"; {worse} of {others} {(worse == 1 ? "is" : "are")} significantly worse" : "";
        if (Tied.Count > 1)
            return $"Use {use}: {by} of the {Tied.Count} arms that may be the best ({Names(Tied)}) it has {Least()}{beaten}."
                + $"{Reach()}{More()}";
        if (others == 1)
            return $"Use {use}: {by} it alone is left.";
        if (Nearest is not var (arm, own, its))
            return $"Use {use}: {by}, with {Power.Seeds} seeds, every other arm is significantly worse than some arm.";
        var (lower, higher) = Numeral.ShowApart(own, its);
        return $"Use {use}: {by}, with {Power.Seeds} seeds, every other arm is significantly worse ({lower} against {higher} at "
            + $"{Name(arm)}, which comes nearest).";
    }

    /// <summary>The preference when no arms differ significantly.</summary>
    private string Preferred()
    {
        if (Loss.IsPlain)
            return Calibrates ? WithTemperature : Name(Chosen);
        return $"{(Calibrates ? WithTemperature : Name(Chosen))}, which has {Least()}";
    }

    private string Least() =>
        AsSimple == Tied.Count ? "the lowest mean"
        : Study.Losses().Count > 1 || Study.Grid?.Mixup is { Count: > 1 }
            ? AsSimple > 1 ? "the simplest training, and the lowest mean of those as simple"
                : "the simplest training"
        : AsSimple > 1 ? "the least smoothing, and the lowest mean of those with as little"
        : "the least smoothing";

    private string WithTemperature =>
        string.Create(CultureInfo.InvariantCulture, $"{Name(Chosen)} with temperature T = {Temperature:0.00}");

    private string Reach() =>
        Power.DetectableDifference is { } difference
            ? $" With {Power.Seeds} seeds a true difference of {Numeral.Show(difference)} is found four times in five."
            : "";

    private string More() =>
        MoreSeeds is null
            ? ""
            : $" If {Name(Closest[0])} and {Name(Closest[1])}, the lowest two, differ as they seem to, {MoreSeeds} more "
                + $"{(MoreSeeds == 1 ? "seed" : "seeds")} would probably tell them apart.";

    private string Names(IEnumerable<Arm> arms) => string.Join("; ", arms.Select(Name));

    private string Name(Arm arm) => arm.Label(Study);
}
