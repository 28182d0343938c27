using Temper.Domain.Calibration;

namespace Temper.Api.Studies.Report;

/// <summary>Draws accuracy against confidence, before and after temperature scaling.</summary>
internal static class ReliabilityCharts
{
    private static readonly Plane Square = new(
        new(0, 1, Plane.Left, Plane.Left + Plane.Width),
        new(0, 1, Plane.Top + Plane.Width, Plane.Top)
    );

    public static string Write(StudyReportResponse report) =>
        report.Reliability.Count == 0
            ? ""
            : $"""
                <section><h2>Reliability</h2>
                <p>Columns are the accuracy of test images by confidence, in 15 bins; where they reach the dashed line, confidence is
                as large as accuracy. Points stand at the mean confidence, with the 95 % interval of the accuracy. One seed each.</p>
                <div class="charts small">
                {string.Concat(report.Reliability.SelectMany(job => Pair(job, job.Arm.Label(report.Study.Spec))))}</div></section>

                """;

    private static IEnumerable<string> Pair(JobReliability job, string arm) =>
        [
            Draw($"{arm}, as trained", $"ECE {Numbers.Fixed(job.Before.Ece, 4)}; seed {job.Seed}", job.Before),
            Draw(
                $"{arm}, after temperature",
                $"ECE {Numbers.Fixed(job.After.Ece, 4)}; seed {job.Seed}, T = {Numbers.Fixed(job.Temperature, 2)}",
                job.After
            ),
        ];

    private static string Draw(string title, string note, ReliabilityDiagram diagram)
    {
        var bins = diagram.Bins.Where(bin => bin.Count > 0).ToList();
        return Chart.Write(
            title,
            note,
            "confidence",
            Square,
            Square.X.Ticks(),
            [
                Chart.Series(Chart.Hue(0, 1), bins.Select(bin => Square.Column(bin.Lower, bin.Upper, bin.Accuracy!.Value, Tip(bin)))),
                Square.Line([(0, 0), (1, 1)], "diagonal"),
                Chart.Series(Chart.Hue(0, 1), bins.SelectMany(Point)),
            ]
        );
    }

    private static IEnumerable<string> Point(ReliabilityBin bin) =>
        [
            Square.Whisker(bin.MeanConfidence!.Value, bin.AccuracyInterval!.Value.Low, bin.AccuracyInterval.Value.High),
            Square.Dot(bin.MeanConfidence.Value, bin.Accuracy!.Value, 2.5, "point", Tip(bin)),
        ];

    private static string Tip(ReliabilityBin bin) =>
        $"confidence {Numbers.Fixed(bin.MeanConfidence!.Value, 3)}, accuracy {Numbers.Fixed(bin.Accuracy!.Value, 3)}, {bin.Count} images";
}
