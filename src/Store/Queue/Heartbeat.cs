using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

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
    private const int TimeoutSeconds = 5;

    /// <summary>
    /// One statement a second per worker, whatever the number of jobs: renews the worker's row (and makes it, the first
    /// time), writes the progress of its jobs, and reads back which are its own. A job that the table says is this worker's
    /// but the worker does not know of goes back: its claim was answered into a broken connection.
    /// </summary>
    /// <param name="suspendedReason">Why it takes no jobs for now; null when it does.</param>
    /// <param name="heldNow">Asked when the answer is there: a claim may have been answered while the heartbeat was under way.</param>
    /// <returns>For each attempt still held, what its user asked of it. An attempt that is missing was lost.</returns>
    public async Task<IReadOnlyDictionary<(Guid Job, int Attempt), StopRequest?>> HeartbeatAsync(
        WorkerIdentity worker,
        IReadOnlyCollection<HeldJob> jobs,
        string? suspendedReason,
        CancellationToken cancellationToken,
        Func<IEnumerable<ClaimedJob>>? heldNow = null
    )
    {
        await using var command = database.CreateCommand(
            """
            WITH beat AS (
                INSERT INTO workers (id, name, presence_key, device, slots, suspended_reason)
                VALUES (@worker, @name, @presence_key, @device, @slots, @suspended_reason)
                ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp(), suspended_reason = excluded.suspended_reason),
            held AS (
                SELECT jobs.id, held.progress
                FROM unnest(@ids, @attempts, @progress) AS held(id, attempt, progress) JOIN jobs USING (id, attempt)
                WHERE jobs.state = 'running' AND held.progress IS NOT NULL
                ORDER BY jobs.id FOR UPDATE OF jobs),
            written AS (UPDATE jobs SET progress = held.progress::jsonb FROM held WHERE jobs.id = held.id)
            SELECT id, attempt, stop_requested, claimed_at < clock_timestamp() - interval '10 seconds' FROM jobs WHERE worker_id = @worker
            """
        );
        // Over a connection that hangs, no sign of life would come through until long after the lease.
        command.CommandTimeout = TimeoutSeconds;
        command.Parameters.AddWithValue("worker", worker.Id);
        command.Parameters.AddWithValue("name", worker.Name);
        command.Parameters.AddWithValue("presence_key", worker.PresenceKey);
        command.Parameters.AddWithValue("device", worker.Device);
        command.Parameters.AddWithValue("slots", worker.Slots);
        command.Parameters.Add(Text("suspended_reason", suspendedReason));
        command.Parameters.AddWithValue("ids", jobs.Select(held => held.Job.Id).ToArray());
        command.Parameters.AddWithValue("attempts", jobs.Select(held => held.Job.Attempt).ToArray());
        command.Parameters.AddWithValue(
            "progress",
            NpgsqlDbType.Array | NpgsqlDbType.Text,
            jobs.Select(held => held.Progress is null ? null : Json.Write(held.Progress)).ToArray()
        );

        var known = jobs.Select(held => (held.Job.Id, held.Job.Attempt)).ToHashSet();
        var (stillHeld, unknown) = (new Dictionary<(Guid, int), StopRequest?>(), new List<(Guid Id, int Attempt)>());
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
            while (await reader.ReadAsync(cancellationToken))
            {
                var attempt = (reader.GetGuid(0), reader.GetInt32(1));
                if (known.Contains(attempt))
                    stillHeld[attempt] = reader.IsDBNull(2) ? null : Enum.Parse<StopRequest>(reader.GetString(2), ignoreCase: true);
                else if (reader.GetBoolean(3))
                    unknown.Add(attempt);
            }
        foreach (var (id, attempt) in unknown.Except(heldNow?.Invoke().Select(job => (job.Id, job.Attempt)) ?? []))
            await EndAsync(HandBack, id, attempt, "its worker never heard that it was its own", null, cancellationToken);
        return stillHeld;
    }
}
