using Npgsql;

namespace Temper.Store.Queue;

/// <summary>What one look at the database says of a worker that owns running jobs; times are the database's.</summary>
/// <param name="Present">Its presence lock is held.</param>
/// <param name="HeartbeatAt">Its last heartbeat.</param>
/// <param name="SeenAt">When this look was taken.</param>
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

    /// <summary>Takes, without waiting, the lock that tells others this worker lives. Released when the connection ends.</summary>
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
    /// Looks at every worker that owns a running job, and at the one that looks. The presence locks are read, never tried:
    /// trying would take the lock of a worker that is just reconnecting.
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
    /// Ends the running attempts of a worker that is lost, as a failure of each; nothing if a heartbeat arrived since it was
    /// last seen. A heartbeat under way at the same moment may come too late: fencing keeps that harmless.
    /// </summary>
    /// <returns>The jobs taken away.</returns>
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
