using System.Text.Encodings.Web;
using System.Text.Json;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using static System.Net.WebUtility;

namespace Temper.Api.Studies.Report;

/// <summary>Writes the report as one self-contained HTML page. It is also valid XML, so that any parser can read it.</summary>
internal static class StudyReportHtml
{
    /// <summary>JSON for people to read. HTML's special characters are encoded afterwards.</summary>
    private static readonly JsonSerializerOptions Indented = new(Json.Options)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string Write(StudyReportResponse report)
    {
        var title = HtmlEncode(report.Study.Spec.Name ?? $"Study {report.Study.Id}");
        return $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>{title}</title>
            <style>
            {ReportStyle.Css}
            </style>
            </head>
            <body>
            <h1>{title}</h1>
            {Facts(report.Study)}{Answer.Write(report)}{ArmTable.Write(report)}{Charts(report)}{Spec(report.Study.Spec)}</body>
            </html>

            """;
    }

    private static string Facts(StudyResponse study) =>
        FormattableString.Invariant(
            $"""
            <dl>
            <dt>Data set</dt><dd>{HtmlEncode(study.Spec.Job.Dataset)}</dd>
            <dt>Criterion</dt><dd>{study.Spec.Criterion.InWords()}, on validation</dd>
            <dt>State</dt><dd>{Json.Name(study.State)}</dd>
            <dt>Jobs</dt><dd>{Jobs(study.Progress)}</dd>
            <dt>Submitted</dt><dd>{study.CreatedAt.UtcDateTime:yyyy-MM-dd HH:mm} UTC</dd>
            <dt>Study</dt><dd>{study.Id}</dd>
            </dl>

            """
        );

    private static string Jobs(StudyProgress jobs)
    {
        (int Count, string State)[] states =
        [
            (jobs.Succeeded, "succeeded"),
            (jobs.Running, "running"),
            (jobs.Queued, "queued"),
            (jobs.Paused, "paused"),
            (jobs.Failed, "failed"),
            (jobs.Cancelled, "cancelled"),
        ];
        return $"{jobs.Jobs}: {string.Join(", ", states.Where(one => one.Count > 0).Select(one => $"{one.Count} {one.State}"))}";
    }

    private static string Charts(StudyReportResponse report) =>
        report.Arms.All(arm => arm.Epochs.Count == 0)
            ? "<section><h2>Charts</h2>\n<p>They come with the first job that succeeds.</p></section>\n"
            : MetricCharts.Write(report) + ReliabilityCharts.Write(report) + CurveCharts.Write(report);

    private static string Spec(StudySpec spec) =>
        $"""
            <details><summary>What was asked for</summary>
            <pre>{HtmlEncode(JsonSerializer.Serialize(spec, Indented))}</pre></details>

            """;
}
