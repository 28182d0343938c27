using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Http;
using Temper.Domain.Workers;
using Temper.Store;
using Temper.Store.Keys;
using Temper.Store.Queue;
using Temper.Store.Rows;

namespace Temper.Api.Workers;

/// <summary>A worker process.</summary>
/// <param name="Name">Host and process id of the worker.</param>
/// <param name="State">`alive`; `draining` when an operator drains it and a job of it still runs, then `drained`; `suspended` when
/// its runners fail; `silent` when its last heartbeat is over 3 s old.</param>
/// <param name="SuspendedReason">Why its runners take no jobs for now; null when they do. The reason of a job that failed is shown
/// with the scope `admin` only. A suspended worker tests itself from time to time and resumes.</param>
/// <param name="Device">Device that its jobs train on: `cpu` or `cuda`.</param>
/// <param name="Devices">Its cards; empty on a worker without cards.</param>
/// <param name="Slots">The most jobs that it runs at once.</param>
/// <param name="SlotsTaken">The number of jobs that it runs now, of all tenants.</param>
/// <param name="SpecRevision">The latest revision of the spec format that its build knows; it claims no job of a later one.</param>
/// <param name="Jobs">Ids of your jobs that it runs now.</param>
/// <param name="HeartbeatAt">Time of its last heartbeat, by the database's clock. Silent workers leave the list after an
/// hour.</param>
public sealed record WorkerResponse(
    Guid Id,
    string Name,
    string State,
    string? SuspendedReason,
    string Device,
    IReadOnlyList<WorkerDevice> Devices,
    int Slots,
    int SlotsTaken,
    int SpecRevision,
    IReadOnlyList<Guid> Jobs,
    DateTimeOffset StartedAt,
    DateTimeOffset HeartbeatAt
);

/// <summary>The workers, oldest first.</summary>
public sealed record WorkersResponse(IReadOnlyList<WorkerResponse> Items);

internal static class WorkerEndpoints
{
    private static readonly string States = $"SELECT id AS \"Id\", {WorkerRow.StateSql} AS \"State\" FROM workers";

    public static void MapWorkers(this IEndpointRouteBuilder routes)
    {
        var workers = routes.MapGroup("/workers").WithTags("Workers").ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        workers.MapGet("", ListAsync);
        MapVerb("drain", queue => queue.DrainWorkerAsync);
        MapVerb("resume", queue => queue.ResumeWorkerAsync);

        void MapVerb(string verb, Func<JobQueue, Func<Guid, CancellationToken, Task<bool>>> of) =>
            workers
                .MapPost(
                    $"/{{id:guid}}/{verb}",
                    (HttpContext context, TemperDb db, JobQueue queue, Guid id, CancellationToken cancellation) =>
                        ApplyAsync(context, db, id, of(queue), cancellation)
                )
                .Needs(Scope.Admin)
                .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<WorkersResponse> ListAsync(HttpContext context, TemperDb db, CancellationToken cancellation)
    {
        var workers = await Answers(db, db.Workers, Caller.TenantOf(context)).ToListAsync(cancellation);
        return new(Caller.Has(context.User, Scope.Admin) ? workers : [.. workers.Select(WithoutFailures)]);
    }

    private static async Task<Results<Ok<WorkerResponse>, ProblemHttpResult>> ApplyAsync(
        HttpContext context,
        TemperDb db,
        Guid id,
        Func<Guid, CancellationToken, Task<bool>> verb,
        CancellationToken cancellation
    ) =>
        await verb(id, cancellation)
        && await Answers(db, db.Workers.Where(worker => worker.Id == id), Caller.TenantOf(context)).SingleOrDefaultAsync(cancellation)
            is { } answer
            ? TypedResults.Ok(answer)
            : Problems.Of(StatusCodes.Status404NotFound, "No such worker.", $"There is no worker {id}.");

    private static WorkerResponse WithoutFailures(WorkerResponse worker) =>
        worker with
        {
            SuspendedReason = SetAside.WithoutFailure(worker.SuspendedReason),
            Devices = [.. worker.Devices.Select(card => card with { SetAsideReason = SetAside.WithoutFailure(card.SetAsideReason) })],
        };

    private static IQueryable<WorkerResponse> Answers(TemperDb db, IQueryable<WorkerRow> workers, string tenant)
    {
        var states = db.Database.SqlQueryRaw<StateOf>(States);
        return workers
            .AsNoTracking()
            .OrderBy(worker => worker.StartedAt)
            .Select(worker => new WorkerResponse(
                worker.Id,
                worker.Name,
                states.Where(state => state.Id == worker.Id).Select(state => state.State).First(),
                worker.SuspendedReason,
                worker.Device,
                worker.Devices,
                worker.Slots,
                worker.Jobs.Count,
                worker.SpecRevision,
                worker.Jobs.Where(job => job.Tenant == tenant).OrderBy(job => job.Sequence).Select(job => job.Id).ToList(),
                worker.StartedAt,
                worker.HeartbeatAt
            ));
    }

    private sealed record StateOf(Guid Id, string State);
}
