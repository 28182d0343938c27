using Microsoft.EntityFrameworkCore;
using Temper.Api.Http;
using Temper.Store;
using Temper.Store.Rows;

namespace Temper.Api.Workers;

/// <summary>A worker process.</summary>
/// <param name="Name">Host and process id of the worker.</param>
/// <param name="State">`alive`; `suspended` when it claims no jobs for now; `silent` when its last heartbeat is over 3 s
/// old.</param>
/// <param name="SuspendedReason">Why it claims no jobs for now; null when it claims jobs. A suspended worker tests itself from
/// time to time and resumes.</param>
/// <param name="Device">Device that its jobs train on: `cpu` or `cuda`.</param>
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
    public static void MapWorkers(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/workers", ListAsync).WithTags("Workers").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

    private static async Task<WorkersResponse> ListAsync(HttpContext context, TemperDb db, CancellationToken cancellation)
    {
        var tenant = Caller.TenantOf(context);
        return new(
            await db
                .Workers.AsNoTracking()
                .OrderBy(worker => worker.StartedAt)
                .Select(worker => new WorkerResponse(
                    worker.Id,
                    worker.Name,
                    // EF Core translates UtcNow to the database's now(), whose clock also sets the heartbeat.
                    worker.HeartbeatAt > DateTimeOffset.UtcNow.AddSeconds(-WorkerRow.SilentAfterSeconds)
                        ? worker.SuspendedReason == null
                            ? "alive"
                            : "suspended"
                        : "silent",
                    worker.SuspendedReason,
                    worker.Device,
                    worker.Slots,
                    worker.Jobs.Count,
                    worker.SpecRevision,
                    worker.Jobs.Where(job => job.Tenant == tenant).OrderBy(job => job.Sequence).Select(job => job.Id).ToList(),
                    worker.StartedAt,
                    worker.HeartbeatAt
                ))
                .ToListAsync(cancellation)
        );
    }
}
