using Temper.Domain.Serialization;
using Temper.Domain.Smoothing;

namespace Temper.Api.Studies.Report;

/// <summary>Writes the study's rows as a table: means over seeds, each ± half its 95 % interval.</summary>
internal static class ArmTable
{
    private static readonly (string Name, Func<ArmResponse, MeanOverSeeds?> Of)[] OnTest =
    [
        ("Accuracy", row => row.Accuracy),
        ("NLL", row => row.Nll),
        ("Brier", row => row.Brier),
        ("ECE", row => row.Ece),
        ("ECE after T", row => row.EceAfterTemperature),
        ("NLL after T", row => row.NllAfterTemperature),
        ("Signed gap", row => row.SignedGap),
        ("Train–test gap", row => row.TrainTestGap),
        ("AURC", row => row.Aurc),
        ("AUGRC", row => row.Augrc),
        ("Debiased ECE", row => row.DebiasedEce),
        ("Smooth ECE", row => row.SmoothEce),
        ("Debiased ECE after T", row => row.DebiasedEceAfterTemperature),
        ("Smooth ECE after T", row => row.SmoothEceAfterTemperature),
    ];

    private static readonly (string Name, Func<ArmResponse, MeanOverSeeds?> Of)[] OnValidation =
    [
        ("T", row => row.Temperature),
        ("Best epoch", row => row.BestEpoch),
        ("Best epoch after T", row => row.BestEpochAfterTemperature),
        ("Accuracy", row => row.ValidationAccuracy),
        ("NLL", row => row.ValidationNll),
        ("ECE", row => row.ValidationEce),
        ("NLL after T", row => row.ValidationNllAfterTemperature),
        ("Debiased ECE", row => row.ValidationDebiasedEce),
        ("Smooth ECE", row => row.ValidationSmoothEce),
        ("AUGRC", row => row.ValidationAugrc),
    ];

    private static readonly (string Name, Func<ArmResponse, MeanOverSeeds?> Of)[] UnderCorruption =
    [
        ("Accuracy", row => row.CorruptedAccuracy),
        ("NLL", row => row.CorruptedNll),
        ("ECE", row => row.CorruptedEce),
        ("NLL after T", row => row.CorruptedNllAfterTemperature),
        ("ECE after T", row => row.CorruptedEceAfterTemperature),
    ];

    public static string Write(StudyReportResponse report)
    {
        var names = Names(report.Study).ToList();
        var groups = new List<(string Name, (string Name, Func<ArmResponse, MeanOverSeeds?> Of)[] Figures)>
        {
            ("Test set", OnTest),
            ("Validation", OnValidation),
        };
        if (report.Study.Spec.Job.Corruptions)
            groups.Add(("Corrupted test set", UnderCorruption));
        var columns = groups.SelectMany(group => group.Figures).ToList();
        var recommended = report.Recommendation.ByLabelNoise.Select(one => one.Arm).ToHashSet();
        var rows = report.Arms.Zip(
            report.Study.Rows,
            (arm, row) =>
            {
                var mark = recommended.Contains(arm.Arm) ? " class=\"recommended\"" : "";
                var figures = columns.Select(column => Cell(column.Of(row)));
                return $"<tr{mark}>{string.Concat(names.Select(name => Cell(name.Of(row))).Concat(figures))}</tr>\n";
            }
        );
        return $"""
            <section><h2>Arms</h2>
            <p>Means over seeds ± half the 95 % interval; T is the temperature. The recommended arm is marked.</p>
            <div class="table"><table>
            <thead><tr class="group"><td colspan="{names.Count}"></td>{string.Concat(
                groups.Select(group => $"<th colspan=\"{group.Figures.Length}\" scope=\"colgroup\">{group.Name}</th>")
            )}</tr>
            <tr>{string.Concat(
                names.Select(name => name.Name).Concat(columns.Select(column => column.Name)).Select(name =>
                    $"<th scope=\"col\">{name}</th>"
                )
            )}</tr></thead>
            <tbody>
            {string.Concat(rows)}</tbody>
            </table></div></section>

            """;
    }

    /// <summary>The columns that identify a row, and the column of finished seeds.</summary>
    private static IEnumerable<(string Name, Func<ArmResponse, string> Of)> Names(StudyResponse study)
    {
        yield return ("ε", row => TrainingLoss.TakesEpsilon(row.Settings.On(study.Spec.Job).Loss) ? Numbers.Exact(row.Epsilon) : "–");
        if (study.Spec.Smoothing is { Count: > 1 })
            yield return ("Smoothing", row => Json.Name(row.Smoothing));
        if (study.Spec.Models is { Count: > 1 })
            yield return ("Model", row => Json.Name(row.Model));
        if (study.Spec.LearningRates is { Count: > 1 })
            yield return ("Learning rate", row => Numbers.Exact(row.LearningRate));
        if (study.Spec.LabelNoise is { Count: > 1 })
            yield return ("Label noise", row => Numbers.Exact(row.LabelNoise));
        foreach (var field in study.Spec.Grid?.Varied() ?? [])
            yield return (field, row => row.Settings.Show(field)!);
        if (study.Rows.Any(row => row.DroppedAtSeeds is not null))
            yield return ("Dropped at seeds", row => row.DroppedAtSeeds is { } seeds ? Numbers.Exact(seeds) : "");
        yield return ("Seeds done", row => $"{row.Seeds} of {row.Jobs}");
    }

    private static string Cell(string text) => $"<td>{text}</td>";

    private static string Cell(MeanOverSeeds? mean)
    {
        if (mean is null)
            return Cell("–");
        var (value, half) = Numbers.Mean(mean);
        return Cell(half is null ? value : $"{value} <small>± {half}</small>");
    }
}
