using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Calibration;
using Temper.Api.Http;
using Temper.Domain.Calibration;
using Temper.Domain.Evaluations;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Evaluations;
using Temper.Store.Keys;
using Temper.Store.Rows;

namespace Temper.Api.Evaluations;

/// <summary>Endpoints that judge the calibration of models that were trained elsewhere.</summary>
internal static class EvaluationEndpoints
{
    private const int DefaultLimit = 50,
        LargestLimit = 200;

    private const string NameAllowed = "must be 1 to 200 characters on one line";

    public static void MapEvaluations(this IEndpointRouteBuilder routes)
    {
        var evaluations = routes.MapGroup("/evaluations").WithTags("Evaluations").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        evaluations
            .MapPost("/", SubmitAsync)
            .Needs(Scope.Submit)
            .WithMetadata(new FileRule([FileRule.Raw, FileRule.Form]) { Fields = ["name"], RefusalBefore = WrongRequest })
            .Produces<EvaluatedResponse>(StatusCodes.Status201Created)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status408RequestTimeout)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        evaluations.MapGet("/", ListAsync).ProducesValidationProblem();
        evaluations.MapGet("/{id:guid}", FindAsync).ProducesProblem(StatusCodes.Status404NotFound);

        evaluations
            .MapGet("/{id:guid}/calibration", ReportAsync)
            .ProducesValidationProblem()
            .Produces<CalibrationReport>()
            .Produces(StatusCodes.Status304NotModified)
            .ProducesProblem(StatusCodes.Status404NotFound);

        evaluations.MapDelete("/{id:guid}", DeleteAsync).Needs(Scope.Operate).ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<IResult> SubmitAsync(
        HttpRequest request,
        PostedFiles posted,
        TemperDb db,
        EvaluationStore store,
        [FromQuery, Description("A name for the evaluation: 1 to 200 characters on one line.")] string? name,
        [FromHeader(Name = "Idempotency-Key")] string? key,
        CancellationToken cancellation
    )
    {
        if (posted.Refusal is { } refusal)
            return refusal;
        var tenant = Caller.TenantOf(request.HttpContext);
        if (WrongName(posted, ref name) is { } wrong)
            return Problems.Invalid("The request is wrong.", new() { ["name"] = [wrong] });
        var sha256 = await posted.File.Sha256Async(cancellation);
        if (key is not null && await FindByKeyAsync(db, tenant, key, cancellation) is { } earlier)
            return Earlier(earlier);

        var id = Guid.CreateVersion7(); // chosen once, so that a repeated write stores nothing twice
        return new InTurn(
            async computing =>
            {
                var errors = new SpecErrors();
                if (await Task.Run(() => EvaluationReader.Read(posted.File.Open(), errors, computing), computing) is not { } read)
                    return Problems.Invalid("The file is wrong.", errors.ByField());
                // Storing uses the disk and another process while the report uses the cores.
                using var either = CancellationTokenSource.CreateLinkedTokenSource(computing);
                var reporting = ReportOfAsync(
                    read.Logits,
                    new ReportQuery().Options(read.Logits.Test.Count, read.Logits.Test.Classes),
                    either.Token
                );
                while (true) // the evaluation with this key may be deleted before it is read
                {
                    var isNew = await StoreAsync(read, reporting, either);
                    var report = await reporting;
                    if (await RowOfAsync(db, id, computing) is { } stored)
                        return Created(stored, report);
                    if (isNew || key is null)
                        return Problems.NoSuchEvaluation(id); // another request has just deleted it
                    if (await FindByKeyAsync(db, tenant, key, computing) is { } other)
                        return IsSame(other) ? Created(other, report) : KeyUsedFor(other);
                }
            },
            Turn.Evaluation
        );

        async Task<bool> StoreAsync(EvaluationFile read, Task<CalibrationReport> reporting, CancellationTokenSource either)
        {
            try
            {
                return await store.InsertAsync(id, read.Logits, RowAsync(read, reporting), either.Token);
            }
            catch
            {
                await either.CancelAsync();
                await reporting.ContinueWith(_ => { }, TaskScheduler.Default); // it has ended, however it did
                throw;
            }
        }

        bool IsSame(EvaluationRow row) => (row.Sha256, row.Name) == (sha256, name);

        IResult Earlier(EvaluationRow row) =>
            !IsSame(row)
                ? KeyUsedFor(row)
                : new InTurn(
                    async computing =>
                    {
                        if (await store.LogitsAsync(row, computing) is not { } logits)
                            return Problems.NoSuchEvaluation(row.Id); // another request has just deleted it
                        var report = await ReportOfAsync(logits, new ReportQuery().Options(row.Count, row.Classes), computing);
                        return Created(row, report);
                    },
                    Turn.Evaluation
                );

        async Task<EvaluationRow> RowAsync(EvaluationFile read, Task<CalibrationReport> reporting)
        {
            var report = await reporting;
            return new()
            {
                Id = id,
                Tenant = tenant,
                Name = name,
                IdempotencyKey = key,
                Sha256 = sha256,
                Outputs = read.Outputs,
                Count = report.Count,
                Classes = report.Classes,
                ValidationCount = read.Logits.Validation?.Count,
                FlooredZeros = read.FlooredZeros,
                HasTrueProbabilities = read.Logits.TrueProbabilities is not null,
                Scores = EvaluationScores.Of(report),
                Notes = report.CrossFit is null ? read.Notes : [.. read.Notes, report.CrossFit.Sentence],
            };
        }
    }

    private static Created<EvaluatedResponse> Created(EvaluationRow row, CalibrationReport report) =>
        TypedResults.Created($"/evaluations/{row.Id}", new EvaluatedResponse(EvaluationResponse.Of(row), report));

    private static ProblemHttpResult KeyUsedFor(EvaluationRow row) => Submission.KeyUsedForAnother($"Evaluation {row.Id}", "file or name");

    private static ProblemHttpResult? WrongRequest(HttpRequest request)
    {
        if (Submission.WrongKey(request.Headers.TryGetValue("Idempotency-Key", out var key) ? $"{key}" : null) is { } wrongKey)
            return wrongKey;
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "name");
        if (request.Query["name"] is [{ } name] && !JobSpecRule.IsName(name))
            errors.TryAdd("name", [NameAllowed]);
        return errors.Count > 0 ? Problems.Invalid("The request is wrong.", errors) : null;
    }

    /// <summary>Takes the name from the form when the query has none.</summary>
    /// <returns>What is wrong with it; null when nothing is.</returns>
    private static string? WrongName(PostedFiles posted, ref string? name)
    {
        if (!posted.Fields.TryGetValue("name", out var inForm))
            return null;
        if (name is not null)
            return "is given twice, in the query and in the form";
        name = inForm;
        return JobSpecRule.IsName(name) ? null : NameAllowed;
    }

    private static Task<EvaluationRow?> FindByKeyAsync(TemperDb db, string tenant, string key, CancellationToken cancellation) =>
        db.Evaluations.AsNoTracking().SingleOrDefaultAsync(row => row.Tenant == tenant && row.IdempotencyKey == key, cancellation);

    private static Task<CalibrationReport> ReportOfAsync(EvaluatedLogits logits, ReportOptions options, CancellationToken cancellation) =>
        Task.Run(() => CalibrationReport.Of(logits.Validation, logits.Test, logits.TrueProbabilities, options, cancellation), cancellation);

    private static async Task<Results<Ok<EvaluationPage>, ProblemHttpResult>> ListAsync(
        HttpRequest request,
        TemperDb db,
        [FromQuery, Description("Evaluations on a page, 1 to 200; 50 when absent.")] string? limit,
        [FromQuery, Description("The `next` of the page before.")] string? cursor,
        CancellationToken cancellation
    )
    {
        var (size, before, refusal) = Paging.ReadQuery(request, limit, cursor, DefaultLimit, LargestLimit);
        if (refusal is not null)
            return refusal;
        var tenant = Caller.TenantOf(request.HttpContext);
        var found = await db
            .Evaluations.AsNoTracking()
            .Where(row => row.Tenant == tenant && (before == null || row.Sequence < before))
            .OrderByDescending(row => row.Sequence)
            .Take(size + 1)
            .ToListAsync(cancellation);
        return TypedResults.Ok(
            new EvaluationPage([.. found.Take(size).Select(EvaluationResponse.Of)], Paging.Next(found, size, row => row.Sequence))
        );
    }

    private static async Task<Results<Ok<EvaluationResponse>, ProblemHttpResult>> FindAsync(
        TemperDb db,
        Guid id,
        CancellationToken cancellation
    ) => await RowOfAsync(db, id, cancellation) is { } row ? TypedResults.Ok(EvaluationResponse.Of(row)) : Problems.NoSuchEvaluation(id);

    private static async Task<IResult> ReportAsync(
        HttpRequest request,
        TemperDb db,
        EvaluationStore store,
        Guid id,
        [AsParameters] ReportQuery query,
        CancellationToken cancellation
    )
    {
        if (query.Errors(request) is { Count: > 0 } errors)
            return Problems.Invalid("The query is wrong.", errors);
        if (await RowOfAsync(db, id, cancellation) is not { } row)
            return Problems.NoSuchEvaluation(id);
        var options = query.Options(row.Count, row.Classes);
        if (request.IsKnownAs(CalibrationEndpoints.TagOf(id, options)))
            return EntityTags.NotModified;
        return new InTurn(
            async computing =>
                await store.LogitsAsync(row, computing) is { } logits
                    ? TypedResults.Ok(await ReportOfAsync(logits, options, computing))
                    : Problems.NoSuchEvaluation(id), // another request has just deleted it
            Turn.Evaluation
        );
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        HttpContext context,
        EvaluationStore store,
        Guid id,
        CancellationToken cancellation
    ) =>
        await store.DeleteAsync(id, cancellation) || Reconnection.IsRepetition(context)
            ? TypedResults.NoContent()
            : Problems.NoSuchEvaluation(id);

    private static Task<EvaluationRow?> RowOfAsync(TemperDb db, Guid id, CancellationToken cancellation) =>
        db.Evaluations.AsNoTracking().SingleOrDefaultAsync(row => row.Id == id, cancellation);
}
