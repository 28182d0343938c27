namespace Temper.Api.Studies.Report;

/// <summary>Arms that differ only in ε. A chart over ε joins them with one line.</summary>
/// <param name="Name">The values of the other fields that the study varies; empty when it varies only ε.</param>
/// <param name="Arms">The arms with their rows, by ascending ε; only those with a job that has succeeded.</param>
internal sealed record Combination(string Name, IReadOnlyList<(ReportedArm Arm, ArmResponse Row)> Arms)
{
    /// <summary>The most combinations in a chart. A reader could not distinguish more.</summary>
    private const int MostDrawn = 12;

    /// <param name="all">Number of all combinations; the result has only the first ones.</param>
    public static IReadOnlyList<Combination> Drawn(StudyReportResponse report, out int all)
    {
        var found = report
            .Arms.Zip(report.Study.Rows)
            .Where(arm => arm.First.Epochs.Count > 0 || arm.Second.Seeds > 0)
            .GroupBy(arm => arm.First.Arm with { Epsilon = 0 })
            .Select(arms => new Combination(
                string.Join(", ", arms.Key.BesideEpsilon(report.Study.Spec)),
                [.. arms.OrderBy(arm => arm.First.Arm.Epsilon)]
            ))
            .ToList();
        all = found.Count;
        return found[..Math.Min(all, MostDrawn)];
    }

    /// <summary>Writes how many combinations are drawn; empty when all are.</summary>
    public static string LeftOut(int drawn, int all) =>
        drawn == all ? "" : $"<p>{drawn} of {all} combinations are drawn; the table has all of them.</p>\n";
}
