using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;
using Temper.Store;
using Temper.Store.Keys;
using Temper.Store.Queue;

namespace Temper.Api.Jobs;

/// <summary>Endpoints that pin and unpin a job. Retention removes nothing of a pinned job.</summary>
internal static class Pinning
{
    public static void MapPinning(this RouteGroupBuilder jobs)
    {
        Map("pin", pinned: true);
        Map("unpin", pinned: false);

        void Map(string verb, bool pinned) =>
            jobs.MapPost(
                    $"/{{id:guid}}/{verb}",
                    async Task<Results<Ok<JobResponse>, ProblemHttpResult>> (
                        JobQueue queue,
                        JobReader reader,
                        Guid id,
                        CancellationToken cancellation
                    ) =>
                        await queue.PinAsync(id, pinned, cancellation) && await reader.FindAsync(id) is var (job, _)
                            ? TypedResults.Ok(JobResponse.Of(job))
                            : Problems.NoSuchJob(id)
                )
                .Needs(Scope.Operate)
                .ProducesProblem(StatusCodes.Status404NotFound);
    }
}
