using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Audit;
using Temper.Api.Http;
using Temper.Api.Jobs;
using Temper.Api.Live;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Events;
using Temper.Store.Keys;
using Temper.Store.Notifications;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

internal static class StudyEndpoints
{
    private const int DefaultLimit = 20,
        LargestLimit = 100;

    public static void MapStudies(this IEndpointRouteBuilder routes)
    {
        var studies = routes.MapGroup("/studies").WithTags("Studies").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        studies
            .MapPost("/", SubmitAsync)
            .Needs(Scope.Submit)
            .Accepts<StudySpec>("application/json")
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        studies.MapGet("/", ListAsync).ProducesValidationProblem();

        studies
            .MapGet("/{id:guid}", FindAsync)
            .Produces<StudyResponse>(StatusCodes.Status200OK, "application/json", "text/csv")
            .Produces(StatusCodes.Status304NotModified)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        studies.MapGet("/{id:guid}/recommendation", RecommendAsync).ProducesProblem(StatusCodes.Status404NotFound);

        studies.MapStudyMetrics();
        studies.MapStudyVerbs();
        studies.MapStudyReport();
    }

    private static async Task<Results<Accepted<StudyResponse>, Ok<CheckedStudyResponse>, ProblemHttpResult>> SubmitAsync(
        HttpRequest request,
        PostedBody body,
        TemperDb db,
        StudyQueue queue,
        StudyReader reader,
        Estimates estimates,
        QueueLimit limit,
        NotificationOptions notifications,
        [FromQuery, Description("true: check the study, estimate its cost, answer 200 and store nothing.")] string? validateOnly,
        [FromHeader(Name = "Idempotency-Key")] string? key,
        CancellationToken cancellation
    )
    {
        if (Submission.Refusal(request, validateOnly, key) is { } wrong)
            return wrong;
        if (body.Refusal is { } refusal)
            return refusal;
        var tenant = Caller.TenantOf(request.HttpContext);
        var (spec, errors) = await StudySpecReader.ReadAsync(body.Bytes, tenant, key, queue, db, notifications, cancellation);
        if (spec is null)
            return Problems.Invalid("The study is wrong.", errors);
        var estimate = await estimates.OfAsync(tenant, spec, cancellation);
        if (validateOnly == "true")
        {
            AuditTrail.ChangesNothing(request.HttpContext);
            return TypedResults.Ok(new CheckedStudyResponse(spec, spec.Arms(), estimate));
        }

        if (estimate.Jobs > limit.Most)
            return Problems.Invalid(
                "The study is wrong.",
                new() { ["seeds"] = [$"{estimate.Jobs} jobs are more than may wait here, {limit.Most}"] }
            );
        using var places = await limit.TryTakePlacesAsync(estimate.Jobs, cancellation);
        if (places is null && (key is null || await queue.FindByKeyAsync(tenant, key, cancellation) is null))
            return limit.Refuse(request.HttpContext);
        if (key is null)
            Reconnection.BeginUnrepeatableWrite(request.HttpContext);
        var (id, submitted, wasThere) = await queue.SubmitAsync(tenant, spec, key, cancellation);
        if (wasThere && !IsSame(spec) && !IsSame(await AgainAsync()))
            return Submission.KeyUsedForAnother($"Study {id}");
        if (await reader.FindAsync(id, cancellation) is not { } study)
            return Problems.NoSuchStudy(id); // another request has just deleted it
        var response = StudyResponse.Of(study) with { Estimate = estimate };
        return TypedResults.Accepted(response.Links.Self, response);

        bool IsSame(StudySpec? posted) => posted is not null && Json.Write(submitted) == Json.Write(posted);

        // The earlier submission may have been stored after this one looked for it. Its data set may have a newer version since.
        async Task<StudySpec?> AgainAsync() =>
            (await StudySpecReader.ReadAsync(body.Bytes, tenant, key, queue, db, notifications, cancellation)).Spec;
    }

    private static async Task<Results<Ok<StudyPage>, ProblemHttpResult>> ListAsync(
        HttpRequest request,
        StudyReader reader,
        [FromQuery, Description("Studies on a page, 1 to 100; 20 when absent.")] string? limit,
        [FromQuery, Description("The `next` of the page before.")] string? cursor,
        CancellationToken cancellation
    )
    {
        var (size, before, refusal) = Paging.ReadQuery(request, limit, cursor, DefaultLimit, LargestLimit);
        if (refusal is not null)
            return refusal;

        var studies = await reader.ListAsync(Caller.TenantOf(request.HttpContext), before, size + 1, cancellation);
        return TypedResults.Ok(StudyPage.Of([.. studies.Take(size)], Paging.Next(studies, size, study => study.Sequence)));
    }

    private static async Task<IResult> FindAsync(
        HttpRequest request,
        StudyReader reader,
        Guid id,
        [FromQuery, Description("json or csv; json when absent.")] string? format,
        [FromHeader(Name = "Prefer"), Description("`wait=20`: the answer may wait up to 20 s, at most 30.")] string? prefer,
        CancellationToken cancellation
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "format");
        Problems.AddUnlessFormat(format, errors);
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        if (Preference.WaitSeconds(prefer) is not { } seconds)
            return (await FindNowAsync(request, reader, id, format, cancellation)).Answer;
        var isForChange = request.HasIfNoneMatch();
        return new Waiting(
            EventScope.OfStudy(id),
            seconds,
            async () =>
            {
                var (answer, isTerminal) = await FindNowAsync(request, reader, id, format, cancellation);
                return (answer, isForChange ? answer != EntityTags.NotModified : isTerminal != false);
            },
            one => one.Change is StudyChange change && (isForChange || StudyProgress.Of(change.Study).State().IsFinal())
        );
    }

    /// <returns>The answer, and whether the study has ended; null when there is no such study.</returns>
    private static async Task<(IResult Answer, bool? IsTerminal)> FindNowAsync(
        HttpRequest request,
        StudyReader reader,
        Guid id,
        string? format,
        CancellationToken cancellation
    )
    {
        if (await reader.FindAsync(id, cancellation) is not { } study)
            return (Problems.NoSuchStudy(id), null);
        var response = StudyResponse.Of(study);
        var csv = format == "csv" ? StudyCsv.Write(response) : null;
        if (request.IsKnownAs(csv is null ? EntityTags.Of(response) : EntityTags.Of(csv)))
            return (EntityTags.NotModified, response.IsTerminal);
        return (csv is null ? TypedResults.Ok(response) : TypedResults.Text(csv, "text/csv"), response.IsTerminal);
    }

    private static async Task<Results<Ok<RecommendationResponse>, ProblemHttpResult>> RecommendAsync(
        StudyReader reader,
        Guid id,
        CancellationToken cancellation
    ) =>
        await reader.FindAsync(id, cancellation) is { } study
            ? TypedResults.Ok(
                RecommendationResponse.Of(study, await reader.JobsAsync(id, cancellation), await reader.FailedAsync(id, cancellation))
            )
            : Problems.NoSuchStudy(id);
}
