namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Drains a worker: when this returns, the worker claims no job until <see cref="ResumeWorkerAsync"/>. The jobs that it runs
    /// go on. A claim locks the worker's row before it takes a job, so this statement waits for a claim that is under way. An UPDATE
    /// alone would pass the claim's lock, as heartbeats do.
    /// </summary>
    /// <returns>False when there is no such worker.</returns>
    public Task<bool> DrainWorkerAsync(Guid worker, CancellationToken cancellationToken) =>
        CommandAsync(
            """
            WITH held AS (SELECT id FROM workers WHERE id = @id FOR UPDATE)
            UPDATE workers SET draining = true FROM held WHERE workers.id = held.id RETURNING held.id
            """,
            worker,
            cancellationToken
        );

    /// <summary>Lets a drained worker claim jobs again, and wakes the workers.</summary>
    /// <returns>False when there is no such worker.</returns>
    public Task<bool> ResumeWorkerAsync(Guid worker, CancellationToken cancellationToken) =>
        CommandAsync(
            $"UPDATE workers SET draining = false WHERE id = @id RETURNING pg_notify('{Channel}', '{QueuedNotice}')",
            worker,
            cancellationToken
        );
}
