using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Net.Http.Headers;
using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Api.Onnx;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;

namespace Temper.Api.Calibration;

/// <summary>Endpoints of a trained model: its calibration report, and the logits and weights to check the report with.</summary>
internal static class CalibrationEndpoints
{
    /// <summary>Part of every report's ETag. Raise it when the same logits give other figures.</summary>
    private const string ReportVersion = "5";

    /// <summary>Part of the ETag of logits. Raise it when the same arrays give another file.</summary>
    private const string FileVersion = "2";

    /// <summary>Part of the ETag of ONNX files. Raise it when the same weights give another file.</summary>
    private const string OnnxVersion = "2";

    public static void MapCalibration(this IEndpointRouteBuilder routes)
    {
        var jobs = routes
            .MapGroup("/jobs/{id:guid}")
            .WithTags("Calibration")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        jobs.MapGet("/calibration", ReportAsync)
            .ProducesValidationProblem()
            .Produces<CalibrationReport>()
            .Produces(StatusCodes.Status304NotModified);

        jobs.MapCorruptions();

        jobs.MapGet("/logits", LogitsAsync).ProducesValidationProblem().Produces<Stream>(StatusCodes.Status200OK, "application/zip");

        jobs.MapGet("/model", ModelAsync)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status500InternalServerError)
            .Produces<Stream>(StatusCodes.Status200OK, "application/octet-stream");
    }

    private static async Task<IResult> ReportAsync(
        HttpRequest request,
        TemperDb db,
        Guid id,
        [AsParameters] ReportQuery query,
        CancellationToken cancellation
    )
    {
        if (query.Errors(request) is { Count: > 0 } errors)
            return Problems.Invalid("The query is wrong.", errors);
        if (await RefusalAsync(db, id, Need.Logits, cancellation) is { } refusal)
            return refusal;
        if (await SizeOfAsync(db, id, cancellation) is not var (count, classes))
            return LogitsNotKept(id); // retention has just removed them
        var options = query.Options(count, classes);
        if (request.IsKnownAs(TagOf(id, options)))
            return EntityTags.NotModified;

        return new InTurn(async computing =>
        {
            if (await LogitsOf(db, id).SingleOrDefaultAsync(computing) is not { } logits)
                return LogitsNotKept(id); // retention has just removed them
            return TypedResults.Ok(
                await Task.Run(
                    () => CalibrationReport.Of(logits.Validation(), logits.Test(), logits.TestTrueProbabilities(), options, computing),
                    computing
                )
            );
        });
    }

    /// <summary>
    /// The ETag of a report. A succeeded job and an evaluation never change, so the id, the options and the report version identify
    /// a report. The tag is weak, because processors that sum with other vector widths differ in the last digit.
    /// </summary>
    internal static string TagOf(Guid id, ReportOptions options) =>
        $"W/\"{id:N}-{ReportVersion}-{options.Binning}-{options.Bins}-{options.Resamples}-{options.Seed}"
        + (options.Measures ? "-measures\"" : "\"");

    private static async Task<IResult> LogitsAsync(
        HttpRequest request,
        TemperDb db,
        StoredModels models,
        Guid id,
        [FromQuery, Description("test or validation")] string? split,
        CancellationToken cancellation
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "split");
        if (split is not ("test" or "validation"))
            errors.TryAdd("split", [split is null ? "is required: test or validation" : $"must be test or validation; got {split}"]);
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        if (await RefusalAsync(db, id, Need.Logits, cancellation) is { } refusal)
            return refusal;
        if (await models.FindAsync(id, cancellation) is not { Classes: { } classes } model)
            return LogitsNotKept(id); // retention has just removed them
        return TypedResults.Stream(WriteAsync, "application/zip", $"{id}-{split}.npz", entityTag: new($"\"{id:N}-{split}-{FileVersion}\""));

        async Task WriteAsync(Stream to) // split is not null: it was checked
        {
            await using Stream logits = model.Open($"{split}_logits"),
                labels = model.Open($"{split}_labels");
            await NpzWriter.WriteAsync(to, model.Count(split!), classes, logits, labels, request.HttpContext.RequestAborted);
        }
    }

    private static async Task<IResult> ModelAsync(
        HttpRequest request,
        TemperDb db,
        StoredModels models,
        FittedCalibrators calibrators,
        Guid id,
        [FromQuery, Description("safetensors, the default, or onnx")] string? format,
        [FromQuery, Description("Type of the pixels that the ONNX file takes: uint8, the default, or float32. Both are from 0 to 255.")]
            string? input,
        [FromQuery, Description($"Calibrator of the ONNX file: {FittedCalibrators.Text}")] string? calibrator,
        CancellationToken cancellation
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "format", "input", FittedCalibrators.Parameter);
        FittedCalibrators.AddUnlessKnown(calibrator, errors);
        if (format is not (null or "safetensors" or "onnx"))
            errors.TryAdd("format", [$"must be safetensors or onnx; got {format}"]);
        else if (format != "onnx")
            foreach (var (name, value) in new[] { ("input", input), (FittedCalibrators.Parameter, calibrator) })
                if (value is not null)
                    errors.TryAdd(name, ["is only for format=onnx"]);
        PixelType? pixels = input switch
        {
            null or "uint8" => PixelType.UInt8,
            "float32" => PixelType.Float32,
            _ => null,
        };
        if (pixels is null)
            errors.TryAdd("input", [$"must be uint8 or float32; got {input}"]);
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        if (await RefusalAsync(db, id, format == "onnx" ? Need.WeightsAndTemperature : Need.Weights, cancellation) is { } refusal)
            return refusal;
        if (format == "onnx")
            return await calibrators.AnswerAsync(
                db,
                id,
                calibrator,
                fit => OnnxAsync(db, models, id, pixels!.Value, fit, cancellation), // not null: it was checked
                isKnown: name => request.IsKnownAs(TagOf(id, pixels!.Value, name)),
                cancellation
            );
        if (await models.FindAsync(id, cancellation) is not { HasWeights: true } model)
            return WeightsNotKept(id); // retention has just removed them
        return TypedResults.File(
            model.Open("weights"),
            "application/octet-stream",
            $"{id}.safetensors",
            entityTag: new($"\"{id:N}\""),
            enableRangeProcessing: true
        );
    }

    private static async Task<IResult> OnnxAsync(
        TemperDb db,
        StoredModels models,
        Guid id,
        PixelType pixels,
        Calibrator? calibrator,
        CancellationToken cancellation
    )
    {
        if (await ExportedModel.FindAsync(db, models, id, cancellation) is not { } model)
            return WeightsNotKept(id); // retention has just removed them
        var file = model.Onnx(pixels, calibrator); // before the answer begins: the model may turn out to be damaged
        return TypedResults.Stream(
            to => model.WriteAsync(file, to, cancellation),
            "application/octet-stream",
            $"{id}.onnx",
            entityTag: EntityTagHeaderValue.Parse(TagOf(id, pixels, calibrator?.Name ?? CalibratorName.Temperature))
        );
    }

    /// <summary>
    /// The ETag of an ONNX file. That with a fitted calibrator is weak, because processors that sum with other vector widths fit
    /// calibrators that differ in the last digit.
    /// </summary>
    private static string TagOf(Guid id, PixelType pixels, CalibratorName calibrator)
    {
        var tag = $"{id:N}-onnx-{OnnxFile.NameOf(pixels)}-{OnnxVersion}";
        return calibrator switch
        {
            CalibratorName.Temperature => $"\"{tag}\"",
            CalibratorName.None => $"\"{tag}-none\"",
            _ => $"W/\"{tag}-{Json.Name(calibrator)}-{ReportVersion}\"",
        };
    }

    /// <summary>
    /// Selects the logits of a job; none when they were not kept. It does not read the weights, which may be many times as large.
    /// </summary>
    internal static IQueryable<StoredLogits> LogitsOf(TemperDb db, Guid id) =>
        db
            .Models.Where(model => model.JobId == id && model.Classes != null)
            .Select(model => new StoredLogits(
                model.Classes!.Value,
                model.ValidationLogits!,
                model.ValidationLabels!,
                model.TestLogits!,
                model.TestLabels!,
                model.TrueProbabilities
            ));

    /// <returns>The numbers of test images and of classes; null when no logits were kept.</returns>
    private static async Task<(int Count, int Classes)?> SizeOfAsync(TemperDb db, Guid id, CancellationToken cancellation) =>
        await db
            .Models.Where(model => model.JobId == id && model.Classes != null)
            .Select(model => new { Bytes = model.TestLabels!.Length, Classes = model.Classes!.Value })
            .SingleOrDefaultAsync(cancellation)
            is { } model
            ? (model.Bytes / sizeof(int), model.Classes)
            : null;

    /// <summary>What a request needs of a job.</summary>
    internal enum Need
    {
        /// <summary>Only that it has succeeded.</summary>
        Success,

        Logits,
        Weights,
        WeightsAndTemperature,
    }

    /// <returns>A refusal; null when the requested data exists.</returns>
    internal static async Task<ProblemHttpResult?> RefusalAsync(TemperDb db, Guid id, Need need, CancellationToken cancellation)
    {
        var found = await db
            .Jobs.Where(job => job.Id == id)
            .Select(job => new
            {
                job.State,
                HasWeights = db.Models.Any(model => model.JobId == id && model.Weights != null),
                HasLogits = db.Models.Any(model => model.JobId == id && model.Classes != null),
                HasScores = db.Scores.Any(scores => scores.JobId == id),
            })
            .SingleOrDefaultAsync(cancellation);
        return found switch
        {
            null => Problems.NoSuchJob(id),
            { State: not JobState.Succeeded } => Problems.Of(
                StatusCodes.Status409Conflict,
                "The job has no model.",
                $"Job {id} is {found.State.ToString().ToLowerInvariant()}; only a job that has succeeded has a model."
            ),
            { HasWeights: false } when need is Need.Weights or Need.WeightsAndTemperature => WeightsNotKept(id),
            { HasLogits: false } when need == Need.Logits => LogitsNotKept(id),
            { HasLogits: false, HasScores: false } when need == Need.WeightsAndTemperature => LogitsNotKept(id),
            _ => null,
        };
    }

    internal static ProblemHttpResult WeightsNotKept(Guid id) =>
        Problems.Of(
            StatusCodes.Status404NotFound,
            "The weights were not kept.",
            $"Those of job {id} were removed after the time that Retention:WeightsDays allows. POST /jobs/{id}/reproduce trains it again."
        );

    private static ProblemHttpResult LogitsNotKept(Guid id) =>
        Problems.Of(
            StatusCodes.Status404NotFound,
            "The logits were not kept.",
            $"Those of job {id} exceed {StoredLogits.LargestBytes >> 20} MiB, the most that is stored, or were removed after the time "
                + "that Retention:LogitsDays allows."
        );
}
