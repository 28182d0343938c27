using Temper.Store.Studies;
using static System.Net.WebUtility;

namespace Temper.Api.Studies.Report;

/// <summary>Draws the learning curves: figures by epoch, with one line for each ε.</summary>
internal static class CurveCharts
{
    private static readonly (string Name, string Note, Func<ReportedArm, MeanEpoch, double> Of)[] Curves =
    [
        (
            "Training loss − H(q)",
            "each loss by itself, without what smoothed targets add",
            (arm, epoch) => epoch.TrainLoss - arm.TargetEntropy
        ),
        ("Validation loss", "NLL against hard labels", (_, epoch) => epoch.ValidationLoss),
        ("Validation accuracy", "share of top-1 hits", (_, epoch) => epoch.ValidationAccuracy),
    ];

    public static string Write(StudyReportResponse report)
    {
        var combinations = Combination.Drawn(report, out var all);
        if (combinations.Count == 0)
            return "";
        double[] epsilons = [.. report.Arms.Select(arm => arm.Arm.Epsilon).Distinct().Order()];
        int HueOf(double epsilon) => Chart.Hue(Array.IndexOf(epsilons, epsilon), epsilons.Length);
        return $"""
            <section><h2>Learning curves</h2>
            <p>Means over seeds, epoch by epoch.</p>
            {Combination.LeftOut(combinations.Count, all)}{Chart.Legend([
                .. epsilons.Select(epsilon => (Name(epsilon), HueOf(epsilon))),
            ])}{string.Concat(combinations.Select(one => Row(one, HueOf)))}</section>

            """;
    }

    private static string Row(Combination combination, Func<double, int> hueOf) =>
        $"""
            {(combination.Name.Length == 0 ? "" : $"<h3>{HtmlEncode(combination.Name)}</h3>\n")}<div class="charts">
            {string.Concat(Curves.Select(curve => Draw(curve.Name, curve.Note, combination, curve.Of, hueOf)))}</div>

            """;

    private static string Draw(
        string name,
        string note,
        Combination combination,
        Func<ReportedArm, MeanEpoch, double> of,
        Func<double, int> hueOf
    )
    {
        var lines = combination
            .Arms.Where(arm => arm.Arm.Epochs.Count > 0)
            .Select(arm =>
                (arm.Arm.Arm.Epsilon, Points: arm.Arm.Epochs.Select(epoch => ((double)epoch.Epoch, of(arm.Arm, epoch))).ToList())
            )
            .ToList();
        var points = lines.SelectMany(line => line.Points).ToList();
        var plane = Plane.Over(points.Select(point => point.Item1), points.Select(point => point.Item2));
        return Chart.Write(
            name,
            note,
            "epoch",
            plane,
            plane.X.Ticks(leastStep: 1),
            lines.Select(line => Chart.Series(hueOf(line.Epsilon), [plane.Line(line.Points, "line", Name(line.Epsilon))]))
        );
    }

    private static string Name(double epsilon) => $"ε = {Numbers.Exact(epsilon)}";
}
