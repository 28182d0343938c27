using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Net.Http.Headers;
using Temper.Api.Http;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Rows;

namespace Temper.Api.Calibration;

/// <summary>What a trained model says of itself: its calibration, and what anyone needs to check it.</summary>
internal static class CalibrationEndpoints
{
    /// <summary>Part of every report's ETag: to be raised when the same logits give other figures.</summary>
    private const string ReportVersion = "1";

    public static void MapCalibration(this IEndpointRouteBuilder routes)
    {
        var jobs = routes.MapGroup("/jobs/{id:guid}").WithTags("Calibration")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        jobs.MapGet("/calibration", ReportAsync)
            .ProducesValidationProblem()
            .Produces<CalibrationReport>()
            .Produces(StatusCodes.Status304NotModified)
            .WithSummary("Get the calibration report")
            .WithDescription("Recomputed in float64 from the stored test logits, before and after a temperature fitted on the validation split. Every figure comes with its uncertainty; the verdict rests on a consistency test. Answers 304 to a matching If-None-Match.");

        jobs.MapGet("/logits", LogitsAsync)
            .ProducesValidationProblem()
            .Produces(StatusCodes.Status200OK, contentType: "application/zip")
            .WithSummary("Download logits")
            .WithDescription("NumPy's npz: `logits` float32 N×K and `labels` int32 N, of `split=test` or `split=validation`.");

        jobs.MapGet("/model", ModelAsync)
            .Produces(StatusCodes.Status200OK, contentType: "application/octet-stream")
            .WithSummary("Download the weights")
            .WithDescription("safetensors, keys as in PyTorch (`conv1.weight` …); its metadata tells how images were normalized.");
    }

    private static async Task<IResult> ReportAsync(HttpRequest request, TemperDb db, Guid id, [AsParameters] ReportQuery query, CancellationToken cancellation)
    {
        if (query.Errors() is { Count: > 0 } errors) return Problems.Invalid("The query is wrong.", errors);
        var options = query.Options();
        if (await RefusalAsync(db, id, cancellation) is { } refusal) return refusal;
        // A succeeded job never changes, so its id, the options and the way of computing tell one report from every other.
        var tag = new EntityTagHeaderValue($"\"{id:N}-{ReportVersion}-{options.Binning}-{options.Bins}-{options.Resamples}-{options.Seed}\"");
        request.HttpContext.Response.GetTypedHeaders().ETag = tag;
        if (request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(tag, useStrongComparison: false))) return TypedResults.StatusCode(StatusCodes.Status304NotModified);

        if ((await ModelsOf(db, id).SingleAsync(cancellation)).Logits is not { } logits) return LogitsNotKept(id);
        return TypedResults.Ok(CalibrationReport.Of(logits.Validation(), logits.Test(), logits.TestTrueProbabilities(), options));
    }

    private static async Task<IResult> LogitsAsync(TemperDb db, Guid id, string? split, CancellationToken cancellation)
    {
        if (split is not ("test" or "validation")) return Problems.Invalid("The query is wrong.", new() { ["split"] = ["must be test or validation"] });
        if (await RefusalAsync(db, id, cancellation) is { } refusal) return refusal;
        if ((await ModelsOf(db, id).SingleAsync(cancellation)).Logits is not { } logits) return LogitsNotKept(id);
        var file = Npz.Write(split == "test" ? logits.Test() : logits.Validation());
        return TypedResults.File(file, "application/zip", $"{id}-{split}.npz", entityTag: new($"\"{id:N}-{split}\""));
    }

    private static async Task<IResult> ModelAsync(TemperDb db, Guid id, CancellationToken cancellation)
    {
        if (await RefusalAsync(db, id, cancellation) is { } refusal) return refusal;
        var weights = await ModelsOf(db, id).Select(model => model.Weights).SingleAsync(cancellation);
        return TypedResults.File(weights, "application/octet-stream", $"{id}.safetensors", entityTag: new($"\"{id:N}\""));
    }

    private static IQueryable<ModelRow> ModelsOf(TemperDb db, Guid id) => db.Models.AsNoTracking().Where(model => model.JobId == id);

    /// <returns>Null when the job has succeeded, and so has a model.</returns>
    private static async Task<ProblemHttpResult?> RefusalAsync(TemperDb db, Guid id, CancellationToken cancellation) =>
        await db.Jobs.Where(job => job.Id == id).Select(job => (JobState?)job.State).SingleOrDefaultAsync(cancellation) switch
        {
            JobState.Succeeded => null,
            null => Problems.Of(StatusCodes.Status404NotFound, "No such job.", $"There is no job {id}."),
            var state => Problems.Of(StatusCodes.Status409Conflict, "The job has no model.", $"Job {id} is {state.ToString()!.ToLowerInvariant()}; only a job that has succeeded has a model."),
        };

    private static ProblemHttpResult LogitsNotKept(Guid id) =>
        Problems.Of(StatusCodes.Status404NotFound, "The logits were not kept.", $"Those of job {id} exceed {StoredLogits.LargestBytes >> 20} MiB, the most that is stored.");
}
