namespace Temper.Api.Studies.Report;

/// <summary>Arms that differ in ε only: what a line over ε joins.</summary>
/// <param name="Name">What else the study varies; empty when nothing.</param>
/// <param name="Arms">With their row, ε ascending; only those with a job that has succeeded.</param>
internal sealed record Combination(string Name, IReadOnlyList<(ReportedArm Arm, ArmResponse Row)> Arms)
{
    /// <summary>More would neither be told apart nor looked at.</summary>
    private const int MostDrawn = 12;

    /// <param name="all">How many there are, of which the first are given.</param>
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

    /// <summary>The page's word on those that are not drawn; empty when all are.</summary>
    public static string LeftOut(int drawn, int all) =>
        drawn == all ? "" : $"<p>{drawn} of {all} combinations are drawn; the table has all of them.</p>\n";
}
