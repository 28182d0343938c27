using System.ComponentModel;
using System.Text;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Calibration;
using Temper.Api.Http;
using Temper.Api.Studies.Report;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>Serves the report of a study as one document: a self-contained HTML page, or JSON.</summary>
internal static class StudyReport
{
    /// <summary>Points of a curve. More could not be distinguished on a page.</summary>
    private const int MostPoints = 200;

    public static void MapStudyReport(this RouteGroupBuilder studies) =>
        studies
            .MapGet("/{id:guid}/report", ReportAsync)
            .Produces<StudyReportResponse>(StatusCodes.Status200OK, "application/json", "text/html")
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound);

    private static async Task<IResult> ReportAsync(
        HttpRequest request,
        StudyReader reader,
        TemperDb db,
        Guid id,
        [FromQuery, Description("html or json; html when absent.")] string? format,
        CancellationToken cancellation
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "format");
        if (format is not (null or "html" or "json"))
            errors["format"] = [$"must be html or json; got {format}"];
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        if (await reader.FindAsync(id, cancellation) is not { } study)
            return Problems.NoSuchStudy(id);

        return new InTurn(async computing => Answer(await ReadAsync(study, reader, db, computing), format, request.HttpContext));
    }

    private static IResult Answer(StudyReportResponse report, string? format, HttpContext context)
    {
        if (format == "json")
        {
            context.Response.Headers.ContentDisposition = $"attachment; filename=study-{report.Study.Id}.json";
            return TypedResults.Ok(report);
        }
        // Names are HTML-encoded. If one were not, this policy would keep its script from running.
        context.AllowPage(PagePolicy.Report);
        return TypedResults.Content(StudyReportHtml.Write(report), "text/html", Encoding.UTF8);
    }

    private static async Task<StudyReportResponse> ReadAsync(
        StudyState study,
        StudyReader reader,
        TemperDb db,
        CancellationToken cancellation
    )
    {
        var jobs = await reader.JobsAsync(study.Id, cancellation);
        var ends = study.Arms.Select(state => state.Arm.Arm.On(study.Spec.Job).Epochs).Distinct().ToList();
        var curves = await reader.CurvesAsync(study.Id, [.. EpochsToShow(ends.Max()).Union(ends).Order()], cancellation);
        var recommendation = RecommendationResponse.Of(study, jobs, await reader.FailedAsync(study.Id, cancellation));
        return new(
            StudyResponse.Of(study),
            recommendation,
            jobs,
            [.. study.Arms.Select(state => ReportedArm.Of(state.Arm, study.Spec, [.. curves[state.Arm.Number]]))],
            await ReliabilityAsync(study, recommendation, jobs, db, cancellation)
        );
    }

    /// <summary>Returns the first and the last epoch, and evenly spaced epochs between them; 200 at most.</summary>
    private static int[] EpochsToShow(int epochs)
    {
        var points = Math.Min(epochs, MostPoints);
        return [.. Enumerable.Range(0, points).Select(i => 1 + (int)((long)i * (epochs - 1) / Math.Max(1, points - 1)))];
    }

    /// <summary>
    /// Computes diagrams for ε = 0 and for the recommended arm, under the first share of label noise that has a recommendation.
    /// It omits jobs whose logits were not kept.
    /// </summary>
    private static async Task<IReadOnlyList<JobReliability>> ReliabilityAsync(
        StudyState study,
        RecommendationResponse recommendation,
        IReadOnlyList<StudyJob> jobs,
        TemperDb db,
        CancellationToken cancellation
    )
    {
        if (recommendation.ByLabelNoise.FirstOrDefault(one => one.Arm is not null)?.Arm is not { } chosen)
            return [];
        var diagrams = new List<JobReliability>();
        var plain = chosen.Plain(study.Spec, study.Arms.Select(state => state.Arm.Arm));
        foreach (var arm in new[] { plain ?? chosen, chosen }.Distinct())
        {
            var number = study.Arms.FirstOrDefault(state => state.Arm.Arm == arm)?.Arm.Number;
            if (
                jobs.FirstOrDefault(job => job.Arm == number) is { } first
                && await ReliabilityAsync(first, arm, db, cancellation) is { } found
            )
                diagrams.Add(found);
        }
        return diagrams;
    }

    private static async Task<JobReliability?> ReliabilityAsync(StudyJob job, Arm arm, TemperDb db, CancellationToken cancellation) =>
        await CalibrationEndpoints.LogitsOf(db, job.Id).SingleOrDefaultAsync(cancellation) is { } logits
            ? JobReliability.Of(job, arm, logits)
            : null;
}
