using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Http;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Keys;
using Temper.Store.Queue;

namespace Temper.Api.Jobs;

/// <summary>
/// Endpoints that change a job's state. Each verb is one guarded update, so it is safe against concurrent changes, and it is
/// idempotent. 202 means that the worker has not carried it out yet.
/// </summary>
internal static class VerbEndpoints
{
    public static void MapVerbs(this RouteGroupBuilder jobs)
    {
        Map(
            "cancel",
            (JobReader reader, JobQueue queue, Guid id, CancellationToken cancellation) =>
                ApplyAsync(reader, id, JobVerb.Cancel, () => queue.CancelAsync(id, cancellation), [ShownState.Cancelled])
        );
        Map(
            "pause",
            (JobReader reader, JobQueue queue, Guid id, CancellationToken cancellation) =>
                ApplyAsync(reader, id, JobVerb.Pause, () => queue.PauseAsync(id, cancellation), [ShownState.Paused, ShownState.Pausing])
        );
        Map(
                "resume",
                (JobReader reader, JobQueue queue, Guid id, CancellationToken cancellation) =>
                    ApplyAsync(
                        reader,
                        id,
                        JobVerb.Resume,
                        () => queue.ResumeAsync(id, cancellation),
                        [ShownState.Queued, ShownState.Running]
                    )
            )
            .ProducesProblem(StatusCodes.Status429TooManyRequests);
        Map("retry", RetryAsync).ProducesValidationProblem().ProducesProblem(StatusCodes.Status429TooManyRequests);

        jobs.MapDelete("/{id:guid}", DeleteAsync)
            .Needs(Scope.Operate)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);

        RouteHandlerBuilder Map(string verb, Delegate handler) =>
            jobs.MapPost($"/{{id:guid}}/{verb}", handler)
                .Needs(Scope.Operate)
                .ProducesProblem(StatusCodes.Status404NotFound)
                .ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static async Task<Results<Ok<JobResponse>, Accepted<JobResponse>, ProblemHttpResult>> RetryAsync(
        HttpRequest request,
        JobReader reader,
        JobQueue queue,
        Guid id,
        [FromQuery, Description("true: delete its epochs and checkpoint, and begin anew.")] string? fresh,
        CancellationToken cancellation
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "fresh");
        if (fresh is not (null or "true" or "false"))
            errors["fresh"] = [$"must be true or false; got {fresh}"];
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        return await ApplyAsync(
            reader,
            id,
            JobVerb.Retry,
            () => queue.RetryAsync(id, fresh == "true", cancellation),
            [ShownState.Queued, ShownState.Running]
        );
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        HttpContext context,
        JobReader reader,
        JobQueue queue,
        Guid id,
        CancellationToken cancellation
    )
    {
        while (!await queue.DeleteAsync(id, cancellation))
        {
            if (await JobAsync(reader, id) is not { } job)
                return Reconnection.IsRepetition(context) ? TypedResults.NoContent() : Problems.NoSuchJob(id);
            if (!Allows(JobVerb.Delete, job.State))
                return Conflict(job, JobVerb.Delete);
        }
        return TypedResults.NoContent();
    }

    /// <param name="already">States in which the verb has nothing to do and succeeds.</param>
    private static async Task<Results<Ok<JobResponse>, Accepted<JobResponse>, ProblemHttpResult>> ApplyAsync(
        JobReader reader,
        Guid id,
        JobVerb verb,
        Func<Task<bool>> apply,
        ShownState[] already
    )
    {
        while (true)
        {
            var applied = await apply();
            if (await JobAsync(reader, id) is not { } job)
                return Problems.NoSuchJob(id);
            if (applied || already.Contains(job.State))
                return job.State is ShownState.Cancelling or ShownState.Pausing
                    ? TypedResults.Accepted(job.Links.Self, job)
                    : TypedResults.Ok(job);
            // If the state changed between the update and the read, the verb may be allowed now: then the loop tries again.
            if (!Allows(verb, job.State))
                return Conflict(job, verb);
        }
    }

    private static async Task<JobResponse?> JobAsync(JobReader reader, Guid id) =>
        await reader.FindAsync(id) is var (job, _) ? JobResponse.Of(job) : null;

    private static bool Allows(JobVerb verb, ShownState state) =>
        JobLifecycle.StatesThatAllow(verb).Any(allowed => ShownStates.Of(allowed, null) == state);

    private static ProblemHttpResult Conflict(JobResponse job, JobVerb verb) =>
        Problems.Of(
            StatusCodes.Status409Conflict,
            $"The job is {Json.Name(job.State)}.",
            $"Job {job.Id} is {Json.Name(job.State)}; {Json.Name(verb)} is for a job that is "
                + $"{string.Join(" or ", JobLifecycle.StatesThatAllow(verb).Select(Json.Name))}."
        );
}
