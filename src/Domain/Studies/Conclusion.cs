using System.Globalization;

namespace Temper.Domain.Studies;

/// <summary>A recommendation, to be put in words.</summary>
/// <param name="Temperature">Of the chosen arm.</param>
/// <param name="Ranked">All arms with results, the lowest mean loss first.</param>
/// <param name="Tied">Those that may be the best, in the same order.</param>
/// <param name="NotJudged">Those that have too few seeds beside the others.</param>
/// <param name="MoreSeeds">Would probably tell the best two of the tied apart; null when over 1000, or nothing is tied.</param>
internal sealed record Conclusion(
    StudySpec Study, bool DifferenceExists, Arm Chosen, double Temperature, IReadOnlyList<Arm> Ranked, IReadOnlyList<Arm> Tied, IReadOnlyList<Arm> NotJudged, Power Power, int? MoreSeeds)
{
    public string Sentence() => Answer() + (NotJudged.Count == 0 ? "" : $" Too few jobs have succeeded to judge {Names(NotJudged)}.");

    private string Answer()
    {
        var by = $"by {Study.Criterion.InWords()} on validation";
        if (Ranked.Count == 1) return $"Only {Name(Chosen)} has results: there is nothing to compare it with.";
        if (Power.Seeds < 2) return $"One seed tells nothing of chance: {by} {Name(Ranked[0])} came out lowest, which a second seed may turn round.";
        var withTemperature = string.Create(CultureInfo.InvariantCulture, $"{Name(Chosen)} with temperature T = {Temperature:0.00}");
        if (!DifferenceExists)
            return $"No significant difference {by} with {Power.Seeds} seeds: prefer {(Chosen.Epsilon == 0 ? withTemperature : $"the least smoothing, {Name(Chosen)}")}.{Reach()}{More()}";
        var use = Chosen.Epsilon == 0 && Study.Criterion.LooksAfterTemperature() ? withTemperature : Name(Chosen);
        var others = Ranked.Count - NotJudged.Count;
        return Tied.Count == 1
            ? $"Use {use}: {by}, with {Power.Seeds} seeds, it alone may be the best: every other arm is significantly worse than it or another."
            : $"Use {use}: {by} it has the least smoothing of the {Tied.Count} arms that may be the best ({Names(Tied)}); {others - Tied.Count} of {others} are significantly worse.{Reach()}{More()}";
    }

    private string Reach() => Power.DetectableDifference is { } difference ? $" So many seeds find a difference of {Numbers.Show(difference)} four times in five." : "";

    private string More() => MoreSeeds is null ? "" : $" If the best two differ as they seem to, {MoreSeeds} more {(MoreSeeds == 1 ? "seed" : "seeds")} would probably tell them apart.";

    private string Names(IEnumerable<Arm> arms) => string.Join("; ", arms.Select(Name));

    private string Name(Arm arm) => arm.Label(Study);
}

internal static class Numbers
{
    /// <summary>Three or four significant digits where that takes no more than six decimals.</summary>
    public static string Show(double value) =>
        value.ToString(Math.Abs(value) switch { >= 0.1 or 0 => "0.000", >= 0.001 => "0.0000", _ => "0.000000" }, CultureInfo.InvariantCulture).Replace('-', '−');
}
