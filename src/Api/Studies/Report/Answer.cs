using Temper.Domain.Studies;
using static System.Net.WebUtility;

namespace Temper.Api.Studies.Report;

/// <summary>What a study recommends, for each share of label noise in its grid.</summary>
internal static class Answer
{
    public static string Write(StudyReportResponse report)
    {
        var answers = report.Recommendation.ByLabelNoise;
        return $"""
            <section><h2>Recommendation</h2>
            {(report.Recommendation.IsFinal ? "" : "<p>Jobs are left: this is how it stands so far.</p>\n")}{string.Concat(
                answers.Select(answer => One(answer, report.Study.Spec, answers.Count > 1))
            )}</section>

            """;
    }

    private static string One(Recommendation answer, StudySpec study, bool named) =>
        $"""
            {(named ? $"<h3>Label noise {Numbers.Exact(answer.LabelNoise)}</h3>\n" : "")}<p class="answer">{HtmlEncode(answer.Sentence)}</p>
            {(answer.InShort is { } inShort ? $"<p>{HtmlEncode(inShort)}</p>" : "")}
            {(answer.Arm is null ? "" : Details(answer, study))}
            """;

    private static string Details(Recommendation answer, StudySpec study) =>
        $"""
            <dl>
            <dt>Temperature</dt><dd>{Temperature(answer)}</dd>
            <dt>Tied</dt><dd>{HtmlEncode(Tied(answer, study))}</dd>
            <dt>Power</dt><dd>{Power(answer.Power)}</dd>
            <dt>More seeds</dt><dd>{MoreSeeds(answer)}</dd>
            </dl>
            {(
                answer.Findings.Count == 0
                    ? ""
                    : $"<ul class=\"findings\">{string.Concat(answer.Findings.Select(finding => $"<li>{HtmlEncode(finding)}</li>"))}</ul>\n"
            )}
            """;

    private static string Tied(Recommendation answer, StudySpec study) =>
        string.Join("; ", answer.Arms.Where(arm => arm.IsTied).OrderBy(arm => arm.Arm.Epsilon).Select(arm => arm.Arm.Label(study)));

    private static string Temperature(Recommendation answer) =>
        answer.Temperature is { } temperature
            ? $"T = {Numbers.Short(temperature)}, the mean over the seeds of the recommended arm"
            : "unknown";

    private static string Power(Power power) =>
        power.DetectableDifference is { } difference
            ? $"{power.Seeds} seeds find a difference of {Numbers.Short(difference)} between two arms with a probability of "
                + $"{Numbers.Short(100 * power.Probability)} %, at a level of {Numbers.Short(100 * power.Level)} %"
            : "unknown before two arms have two seeds each";

    private static string MoreSeeds(Recommendation answer) =>
        answer.MoreSeeds is { } more
            ? $"{more} would probably tell the two tied arms with the lowest means apart"
            : HtmlEncode(answer.MoreSeedsNote!);
}
