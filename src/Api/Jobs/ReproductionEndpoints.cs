using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Http;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Keys;
using Temper.Store.Queue;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>Endpoints that run a job's spec again and compare the two results.</summary>
internal static class ReproductionEndpoints
{
    public static void MapReproduction(this RouteGroupBuilder jobs)
    {
        jobs.MapPost("/{id:guid}/reproduce", ReproduceAsync)
            .Needs(Scope.Submit)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        jobs.MapGet("/{id:guid}/reproduction", CompareAsync)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static async Task<Results<Accepted<JobResponse>, ProblemHttpResult>> ReproduceAsync(
        HttpRequest request,
        TemperDb db,
        JobReader reader,
        QueueLimit limit,
        Guid id,
        [FromHeader(Name = "Idempotency-Key")] string? key,
        CancellationToken cancellation
    )
    {
        if (Submission.WrongKey(key) is { } wrong)
            return wrong;
        var tenant = Caller.TenantOf(request.HttpContext);
        if (await reader.FindAsync(id) is not var (original, _))
            return Problems.NoSuchJob(id);
        if (original.State != JobState.Succeeded)
            return NotSucceeded(original);
        if (original.SpecRevision > SpecRevision.Known)
            throw new NewerBuildException($"This build does not know all of the spec of job {id}. Send the request to a newer build.");
        using var place = await limit.TryTakePlacesAsync(1, cancellation);
        if (place is null && (key is null || await JobQueue.FindByKeyAsync(db, tenant, key, cancellation) is null))
            return limit.Refuse(request.HttpContext);
        if (key is null)
            Reconnection.BeginUnrepeatableWrite(request.HttpContext);
        var (job, wasThere) = key is null
            ? (await JobQueue.SubmitAsync(db, tenant, original.Spec, cancellation, reproduces: id), false)
            : await JobQueue.SubmitOnceAsync(db, tenant, original.Spec, key, cancellation, reproduces: id);
        if (wasThere && job.Reproduces != id)
            return Submission.KeyUsedForAnother($"Job {job.Id}");
        var response = JobResponse.Of(job);
        return TypedResults.Accepted(response.Links.Self, response);
    }

    private static async Task<Results<Ok<Reproduction>, ProblemHttpResult>> CompareAsync(JobReader reader, Guid id)
    {
        if (await reader.FindAsync(id) is not var (repeated, _))
            return Problems.NoSuchJob(id);
        if (repeated.Reproduces is not { } originalId || await reader.FindAsync(originalId) is not var (original, _))
            return Problems.Of(
                StatusCodes.Status409Conflict,
                "The job repeats no other.",
                $"Job {id} was not made by `POST /jobs/…/reproduce`, or its original was deleted."
            );
        foreach (var job in new[] { original, repeated })
            if (job.Result is null)
                return NotSucceeded(job);
        return TypedResults.Ok(
            Reproduction.Of(
                originalId,
                original.Result!,
                await reader.MetricsAsync(originalId, 0),
                repeated.Result!,
                await reader.MetricsAsync(id, 0)
            )
        );
    }

    private static ProblemHttpResult NotSucceeded(JobRow job) =>
        Problems.Of(
            StatusCodes.Status409Conflict,
            $"The job is {Json.Name(ShownStates.Of(job.State, job.StopRequested))}.",
            $"Job {job.Id} has no result; both runs must have succeeded."
        );
}
