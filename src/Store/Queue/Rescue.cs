using Npgsql;

namespace Temper.Store.Queue;

/// <summary>One observation of a worker that owns running jobs, or of the watcher; times are the database's.</summary>
/// <param name="Present">Whether the worker's presence lock is held.</param>
/// <param name="HeartbeatAt">Time of its last heartbeat.</param>
/// <param name="SeenAt">Time of this observation.</param>
public sealed record WorkerSighting(Guid Worker, bool Present, DateTimeOffset HeartbeatAt, DateTimeOffset SeenAt)
{
    public TimeSpan HeartbeatAge => SeenAt - HeartbeatAt;
}

public sealed partial class JobQueue
{
    private static readonly string Rescue = End(
        "worker_id = @worker AND state = 'running' AND (SELECT heartbeat_at FROM workers WHERE id = @worker) = @heartbeat_at",
        AfterFailure,
        outcome: "'lost'",
        counted: 1,
        BackoffAfterLoss
    );

    /// <summary>
    /// Takes, without waiting, the lock that shows other workers that this one is alive. PostgreSQL releases it when the
    /// connection ends.
    /// </summary>
    public static async Task<bool> TryTakePresenceAsync(
        NpgsqlConnection connection,
        WorkerIdentity worker,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand("SELECT pg_try_advisory_lock($1)", connection)
        {
            Parameters = { new() { Value = worker.PresenceKey } },
        };
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>
    /// Observes every worker that owns a running job, and the watcher itself. The query reads pg_locks and never tries a
    /// presence lock: a try could take the lock of a worker that is reconnecting.
    /// </summary>
    public static async Task<IReadOnlyList<WorkerSighting>> WatchAsync(
        NpgsqlConnection connection,
        Guid watcher,
        CancellationToken cancellationToken
    )
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT worker.id, worker.heartbeat_at, clock_timestamp(),
                   EXISTS (SELECT FROM pg_locks
                           WHERE locktype = 'advisory' AND granted AND objsubid = 1
                             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                             AND (classid::bigint << 32 | objid::bigint) = worker.presence_key)
            FROM workers worker
            WHERE worker.id = $1 OR EXISTS (SELECT FROM jobs WHERE worker_id = worker.id)
            """,
            connection
        )
        {
            Parameters = { new() { Value = watcher } },
        };
        var sightings = new List<WorkerSighting>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            sightings.Add(
                new(
                    reader.GetGuid(0),
                    reader.GetBoolean(3),
                    reader.GetFieldValue<DateTimeOffset>(1),
                    reader.GetFieldValue<DateTimeOffset>(2)
                )
            );
        return sightings;
    }

    /// <summary>
    /// Ends the running attempts of a lost worker and counts a failure for each. Does nothing if a heartbeat arrived since the
    /// observation. A concurrent heartbeat may commit after the rescue; fencing makes that harmless.
    /// </summary>
    /// <returns>The jobs taken from the worker.</returns>
    public async Task<IReadOnlyList<Guid>> RescueAsync(WorkerSighting lost, string reason, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"{Rescue} RETURNING job_id");
        command.Parameters.AddWithValue("worker", lost.Worker);
        command.Parameters.AddWithValue("heartbeat_at", lost.HeartbeatAt);
        command.Parameters.Add(Text("reason", reason));
        command.Parameters.Add(Text("error_output", null));
        var rescued = new List<Guid>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            rescued.Add(reader.GetGuid(0));
        return rescued;
    }
}
