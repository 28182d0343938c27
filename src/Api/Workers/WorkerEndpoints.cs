using Microsoft.EntityFrameworkCore;
using Temper.Store;
using Temper.Store.Rows;

namespace Temper.Api.Workers;

/// <summary>A worker process.</summary>
/// <param name="Name">Host and process id.</param>
/// <param name="State">`alive`; `suspended` when it takes no jobs for now; `silent` when its last heartbeat is over 3 s old.</param>
/// <param name="SuspendedReason">Why it takes no jobs for now; it tries itself from time to time and goes on. Null when it does.</param>
/// <param name="Device">What its jobs train on: `cpu` or `cuda`.</param>
/// <param name="Slots">Jobs it runs at once.</param>
/// <param name="Jobs">Jobs it runs now.</param>
/// <param name="HeartbeatAt">Its last heartbeat, by the database's clock. Silent workers leave the list after an hour.</param>
public sealed record WorkerResponse(
    Guid Id,
    string Name,
    string State,
    string? SuspendedReason,
    string Device,
    int Slots,
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

    private static async Task<WorkersResponse> ListAsync(TemperDb db, CancellationToken cancellation) =>
        new(
            await db
                .Workers.AsNoTracking()
                .OrderBy(worker => worker.StartedAt)
                .Select(worker => new WorkerResponse(
                    worker.Id,
                    worker.Name,
                    // now() is the database's, as the heartbeat is.
                    worker.HeartbeatAt > DateTimeOffset.UtcNow.AddSeconds(-WorkerRow.SilentAfterSeconds)
                        ? worker.SuspendedReason == null
                            ? "alive"
                            : "suspended"
                        : "silent",
                    worker.SuspendedReason,
                    worker.Device,
                    worker.Slots,
                    worker.Jobs.OrderBy(job => job.Sequence).Select(job => job.Id).ToList(),
                    worker.StartedAt,
                    worker.HeartbeatAt
                ))
                .ToListAsync(cancellation)
        );
}
