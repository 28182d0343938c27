using Temper.Domain.Studies;

namespace Temper.Api.Studies.Report;

/// <summary>A figure of the test set that the report draws over ε.</summary>
/// <param name="Note">Which way is better.</param>
/// <param name="OfArm">Gives the mean over the arm's seeds.</param>
/// <param name="OfJob">Gives the figure of one seed; null if the build that trained it did not compute it.</param>
internal sealed record Metric(string Name, string Note, Func<ArmResponse, MeanOverSeeds?> OfArm, Func<StudyJob, double?> OfJob);

/// <summary>Draws each figure over ε: one chart for each figure, with one line for each <see cref="Combination"/>.</summary>
internal static class MetricCharts
{
    /// <summary>Each job is a dot on each chart. With more jobs the page would be slow and the dots would overlap.</summary>
    private const int MostJobsAsDots = 2000;

    private const string Higher = "higher is better",
        Lower = "lower is better",
        Zero = "0 is best";

    public static IReadOnlyList<Metric> Metrics { get; } =
    [
        new("Test accuracy", Higher, row => row.Accuracy, job => job.Scores.Test.Accuracy),
        new("NLL", Lower, row => row.Nll, job => job.Scores.Test.Nll),
        new("Brier score", Lower, row => row.Brier, job => job.Scores.Test.Brier),
        new("ECE", Lower, row => row.Ece, job => job.Scores.Test.Ece),
        new("ECE after temperature", Lower, row => row.EceAfterTemperature, job => job.Scores.Test.EceAfterTemperature),
        new("NLL after temperature", Lower, row => row.NllAfterTemperature, job => job.Scores.Test.NllAfterTemperature),
        new("Signed gap", $"confidence − accuracy; {Zero}", row => row.SignedGap, job => job.Scores.Test.SignedGap),
        new("Train–test gap", $"in accuracy; {Zero}", row => row.TrainTestGap, job => job.TrainTestGap),
        new("AURC", Lower, row => row.Aurc, job => job.Scores.Test.Aurc),
        new("AUGRC", Lower, row => row.Augrc, job => job.Scores.Test.Augrc),
        new("Debiased ECE", Lower, row => row.DebiasedEce, job => job.Scores.Test.DebiasedEce),
        new("Smooth ECE", Lower, row => row.SmoothEce, job => job.Scores.Test.SmoothEce),
    ];

    public static string Write(StudyReportResponse report)
    {
        if (report.Jobs.Count == 0)
            return "";
        var combinations = Combination.Drawn(report, out var all);
        var jobs =
            report.Jobs.Count <= MostJobsAsDots ? report.Jobs.ToLookup(job => job.Arm) : Array.Empty<StudyJob>().ToLookup(job => job.Arm);
        var metrics = Metrics.Where(metric => report.Jobs.Any(job => metric.OfJob(job) is not null));
        return $"""
            <section><h2>Figures over ε</h2>
            <p>On the test set. Points are means over seeds with 95 % intervals{(jobs.Count > 0 ? "; each faint dot is one seed" : "")}.</p>
            {Combination.LeftOut(combinations.Count, all)}{Chart.Legend([
                .. combinations.Select((one, i) => (one.Name, Chart.Hue(i, combinations.Count))),
            ])}<div class="charts">
            {string.Concat(metrics.Select(metric => Draw(report.Study.Spec, metric, combinations, jobs)))}</div></section>

            """;
    }

    private static string Draw(StudySpec study, Metric metric, IReadOnlyList<Combination> combinations, ILookup<int, StudyJob> jobs)
    {
        var arms = combinations.SelectMany(one => one.Arms).ToList();
        var plane = Plane.Over(
            arms.Select(arm => arm.Arm.Arm.Epsilon),
            arms.SelectMany(arm =>
                jobs[arm.Arm.Number]
                    .Select(metric.OfJob)
                    .OfType<double>()
                    .Concat(
                        metric.OfArm(arm.Row) is { } mean
                            ? [mean.Mean, mean.Interval?.Low ?? mean.Mean, mean.Interval?.High ?? mean.Mean]
                            : []
                    )
            )
        );
        return Chart.Write(
            metric.Name,
            metric.Note,
            "ε",
            plane,
            plane.X.TicksAt(arms.Select(arm => arm.Arm.Arm.Epsilon)),
            combinations.Select(
                (one, i) =>
                    Chart.Series(
                        Chart.Hue(i, combinations.Count),
                        Marks(
                            study,
                            one,
                            metric,
                            Aside(plane, (i - (combinations.Count - 1) / 2.0) * Step(combinations.Count)),
                            Step(combinations.Count),
                            jobs
                        )
                    )
            )
        );
    }

    /// <summary>Pixels from one series to the next, so that intervals at the same ε do not cover each other.</summary>
    private static double Step(int series) => Math.Min(8, 28.0 / series);

    private static Plane Aside(Plane plane, double pixels) => plane with { X = plane.X.ShiftedBy(pixels) };

    private static IEnumerable<string> Marks(
        StudySpec study,
        Combination combination,
        Metric metric,
        Plane plane,
        double step,
        ILookup<int, StudyJob> jobs
    )
    {
        var means = combination
            .Arms.Select(arm => (arm.Arm.Arm, Mean: metric.OfArm(arm.Row), arm.Arm.Number))
            .Where(arm => arm.Mean is not null)
            .ToList();
        foreach (var (arm, _, number) in means)
        foreach (var figure in jobs[number].Select(metric.OfJob).OfType<double>())
            yield return Aside(plane, -step / 2).Dot(arm.Epsilon, figure, 2, "seed");
        if (means.Count > 1)
            yield return plane.Line(
                [.. means.Select(mean => (mean.Arm.Epsilon, mean.Mean!.Mean))],
                "line",
                combination.Name.Length == 0 ? null : combination.Name
            );
        foreach (var (arm, mean, _) in means)
        {
            if (mean!.Interval is { } interval)
                yield return plane.Whisker(arm.Epsilon, interval.Low, interval.High);
            yield return plane.Dot(arm.Epsilon, mean.Mean, 3.5, "point", Tip(arm.Label(study), mean));
        }
    }

    private static string Tip(string arm, MeanOverSeeds mean)
    {
        var (value, half) = Numbers.Mean(mean);
        return $"{arm}: {value}{(half is null ? "" : $" ± {half}")}";
    }
}
