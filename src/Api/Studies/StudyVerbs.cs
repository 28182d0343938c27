using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;
using Temper.Api.Jobs;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Store.Keys;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>
/// Endpoints that change a whole study. Each verb applies to every job whose state allows it, so it is idempotent. An
/// extension with a count of seeds is not: each one adds seeds.
/// </summary>
internal static class StudyVerbs
{
    public static void MapStudyVerbs(this RouteGroupBuilder studies)
    {
        Map("cancel", (queue, id, cancellation) => queue.CancelAsync(id, cancellation));
        Map("pause", (queue, id, cancellation) => queue.PauseAsync(id, cancellation));
        Map("resume", (queue, id, cancellation) => queue.ResumeAsync(id, cancellation))
            .ProducesProblem(StatusCodes.Status429TooManyRequests);
        Map("pin", (queue, id, cancellation) => queue.PinAsync(id, true, cancellation));
        Map("unpin", (queue, id, cancellation) => queue.PinAsync(id, false, cancellation));

        studies
            .MapPost("/{id:guid}/retry", RetryAsync)
            .Needs(Scope.Operate)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        studies
            .MapPost("/{id:guid}/extend", ExtendAsync)
            .Needs(Scope.Submit)
            .Accepts<StudyExtension>("application/json")
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        studies
            .MapDelete("/{id:guid}", DeleteAsync)
            .Needs(Scope.Operate)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);

        RouteHandlerBuilder Map(string verb, Func<StudyQueue, Guid, CancellationToken, Task> apply) =>
            studies
                .MapPost(
                    $"/{{id:guid}}/{verb}",
                    async Task<Results<Ok<StudyResponse>, ProblemHttpResult>> (
                        StudyQueue queue,
                        StudyReader reader,
                        Guid id,
                        CancellationToken cancellation
                    ) =>
                    {
                        await apply(queue, id, cancellation);
                        return await reader.FindAsync(id, cancellation) is { } study
                            ? TypedResults.Ok(StudyResponse.Of(study))
                            : Problems.NoSuchStudy(id);
                    }
                )
                .Needs(Scope.Operate)
                .ProducesValidationProblem()
                .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Ok<StudyResponse>, ProblemHttpResult>> RetryAsync(
        HttpContext context,
        StudyQueue queue,
        StudyReader reader,
        QueueLimit limit,
        Guid id,
        CancellationToken cancellation
    )
    {
        if (await reader.FindAsync(id, cancellation) is not { } study)
            return Problems.NoSuchStudy(id);
        using var places = await limit.TryTakePlacesAsync(study.Arms.Sum(arm => arm.Jobs[JobState.Failed]), cancellation);
        if (places is null)
            return limit.Refuse(context);
        await queue.RetryAsync(id, cancellation);
        return await reader.FindAsync(id, cancellation) is { } after ? TypedResults.Ok(StudyResponse.Of(after)) : Problems.NoSuchStudy(id);
    }

    private static async Task<Results<Accepted<StudyResponse>, ProblemHttpResult>> ExtendAsync(
        HttpRequest request,
        PostedBody body,
        StudyQueue queue,
        StudyReader reader,
        Estimates estimates,
        QueueLimit limit,
        Guid id,
        CancellationToken cancellation
    )
    {
        if (request.Headers.ContainsKey("Idempotency-Key"))
            return Problems.Invalid(
                "The header is wrong.",
                new()
                {
                    ["idempotency-key"] =
                    [
                        "is not for extensions: list the seeds instead of counting them, and sending it twice changes nothing more",
                    ],
                }
            );
        if (body.Refusal is { } refusal)
            return refusal;
        var errors = new SpecErrors();
        var extension = StudySpecReader.ReadExtension(body.Bytes, errors)!; // null only when there are errors
        if (errors.Any)
            return Problems.Invalid("The extension is wrong.", errors.ByField());
        if (await reader.FindAsync(id, cancellation) is not { } study)
            return Problems.NoSuchStudy(id);
        using var places = await limit.TryTakePlacesAsync(MostQueued(study, extension), cancellation);
        if (places is null)
            return limit.Refuse(request.HttpContext);

        Reconnection.BeginUnrepeatableWrite(request.HttpContext); // a count of seeds adds to the existing seeds
        var added = await queue.ExtendAsync(
            id,
            spec =>
            {
                var wider = extension.Widen(spec);
                StudySpecReader.CheckGrid(wider, errors);
                return errors.Any ? null : wider;
            },
            cancellation
        );
        if (added is null)
            return Problems.NoSuchStudy(id);
        if (errors.Any)
            return Problems.Invalid("The extension is wrong.", errors.ByField());
        if (await reader.FindAsync(id, cancellation) is not { } wider)
            return Problems.NoSuchStudy(id);
        var response = StudyResponse.Of(wider);
        response = response with
        {
            Estimate = await estimates.OfAsync(
                Caller.TenantOf(request.HttpContext),
                wider.Spec,
                cancellation,
                left: response.Progress is var jobs ? jobs.Queued + jobs.Running + jobs.Paused : 0
            ),
        };
        return TypedResults.Accepted(response.Links.Self, response);
    }

    /// <summary>
    /// The most jobs that the extension can queue: the new ones and, with a new budget, the cancelled ones, because the old
    /// budget may have cancelled them.
    /// </summary>
    private static int MostQueued(StudyState study, StudyExtension extension)
    {
        var (now, wider) = (study.Spec, extension.Widen(study.Spec));
        var added = wider.CountArms() * wider.Seeds!.Count - now.CountArms() * now.Seeds!.Count;
        var again = extension.Budget is null ? 0 : study.Arms.Sum(arm => arm.Jobs[JobState.Cancelled]);
        return (int)Math.Clamp(added + again, 0, StudySpecRule.MostJobs);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        HttpContext context,
        StudyQueue queue,
        Guid id,
        CancellationToken cancellation
    ) =>
        await queue.DeleteAsync(id, cancellation) switch
        {
            null when Reconnection.IsRepetition(context) => TypedResults.NoContent(),
            null => Problems.NoSuchStudy(id),
            false => Problems.Of(
                StatusCodes.Status409Conflict,
                "The study is running.",
                $"Jobs of study {id} are running; cancel or pause it first, and wait until they have stopped."
            ),
            true => TypedResults.NoContent(),
        };
}
