using NpgsqlTypes;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

/// <summary>A worker as it registers itself.</summary>
/// <param name="PresenceKey">The advisory lock that its presence connection holds.</param>
public sealed record WorkerIdentity(Guid Id, string Name, long PresenceKey, string Device, int Slots)
{
    public static WorkerIdentity Create(string device, int slots)
    {
        var id = Guid.NewGuid();
        var key = BitConverter.ToInt64(id.ToByteArray(), 8);
        return new(id, $"{Environment.MachineName}:{Environment.ProcessId}", key, device, slots);
    }
}

/// <summary>A job that a worker believes to hold, and how far it has come; null before it has said so.</summary>
public sealed record HeldJob(ClaimedJob Job, TrainingProgress? Progress);

public sealed partial class JobQueue
{
    /// <summary>
    /// One statement a second per worker, whatever the number of jobs: renews the worker's row (and makes it, the first
    /// time), writes the progress of its jobs, and reads back which of them are still its own. A job that the table says is
    /// this worker's but the worker does not know of counts as failed: its claim was answered into a broken connection.
    /// </summary>
    /// <returns>For each attempt still held, whether a cancel was requested. An attempt that is missing was lost.</returns>
    public async Task<IReadOnlyDictionary<(Guid Job, int Attempt), bool>> HeartbeatAsync(
        WorkerIdentity worker, IReadOnlyCollection<HeldJob> jobs, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            WITH beat AS (
                INSERT INTO workers (id, name, presence_key, device, slots)
                VALUES (@worker, @name, @presence_key, @device, @slots)
                ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp()),
            unknown AS (
                UPDATE jobs SET {AfterFailure}
                WHERE worker_id = @worker AND id <> ALL (@ids) AND claimed_at < clock_timestamp() - interval '10 seconds')
            UPDATE jobs
            SET progress = coalesce(held.progress::jsonb, jobs.progress)
            FROM unnest(@ids, @attempts, @progress) AS held(id, attempt, progress)
            WHERE jobs.id = held.id AND jobs.attempt = held.attempt AND jobs.state = 'running'
            RETURNING jobs.id, jobs.attempt, jobs.cancel_requested_at IS NOT NULL
            """);
        command.Parameters.AddWithValue("worker", worker.Id);
        command.Parameters.AddWithValue("name", worker.Name);
        command.Parameters.AddWithValue("presence_key", worker.PresenceKey);
        command.Parameters.AddWithValue("device", worker.Device);
        command.Parameters.AddWithValue("slots", worker.Slots);
        command.Parameters.AddWithValue("reason", "its worker lost track of it");
        command.Parameters.AddWithValue("ids", jobs.Select(held => held.Job.Id).ToArray());
        command.Parameters.AddWithValue("attempts", jobs.Select(held => held.Job.Attempt).ToArray());
        command.Parameters.AddWithValue("progress", NpgsqlDbType.Array | NpgsqlDbType.Text,
            jobs.Select(held => held.Progress is null ? null : Json.Write(held.Progress)).ToArray());

        var stillHeld = new Dictionary<(Guid, int), bool>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken)) stillHeld[(reader.GetGuid(0), reader.GetInt32(1))] = reader.GetBoolean(2);
        return stillHeld;
    }
}
