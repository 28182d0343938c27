using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Workers;

namespace Temper.Store.Queue;

/// <summary>What a worker registers about itself.</summary>
/// <param name="PresenceKey">Key of the advisory lock that the worker's presence connection holds.</param>
public sealed record WorkerIdentity(Guid Id, string Name, long PresenceKey, string Device, int Slots)
{
    public static WorkerIdentity Create(string device, int slots)
    {
        var id = Guid.NewGuid();
        var key = BitConverter.ToInt64(id.ToByteArray(), 8);
        return new(id, $"{Environment.MachineName}:{Environment.ProcessId}", key, device, slots);
    }
}

/// <summary>A job that a worker believes it holds, and its progress; null before the first report of progress.</summary>
public sealed record HeldJob(ClaimedJob Job, TrainingProgress? Progress);

public sealed partial class JobQueue
{
    private const int TimeoutSeconds = 5;

    /// <summary>
    /// Each worker runs this one statement every second, whatever its number of jobs. It inserts or renews the worker's row,
    /// writes the progress of its jobs, and reads which jobs the worker owns. If the worker does not know a job that it owns,
    /// the answer to its claim was lost with the connection; after ten seconds the job is handed back.
    /// </summary>
    /// <param name="suspendedReason">Why the worker takes no jobs for now; null when it takes jobs.</param>
    /// <param name="devices">The worker's cards; null for none.</param>
    /// <param name="heldNow">Gives the jobs held after the statement ran: a claim may be answered during the heartbeat.</param>
    /// <returns>The stop request of each attempt still held, null without one. An attempt that is missing was lost.</returns>
    public async Task<IReadOnlyDictionary<(Guid Job, int Attempt), StopRequest?>> HeartbeatAsync(
        WorkerIdentity worker,
        IReadOnlyCollection<HeldJob> jobs,
        string? suspendedReason,
        CancellationToken cancellationToken,
        Func<IEnumerable<ClaimedJob>>? heldNow = null,
        IReadOnlyList<WorkerDevice>? devices = null
    )
    {
        await using var command = database.CreateCommand(
            """
            WITH beat AS (
                INSERT INTO workers (id, name, presence_key, device, slots, spec_revision, suspended_reason, devices)
                VALUES (@worker, @name, @presence_key, @device, @slots, @spec_revision, @suspended_reason, @devices)
                ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp(), suspended_reason = excluded.suspended_reason,
                    devices = excluded.devices),
            held AS (
                SELECT jobs.id, held.progress
                FROM unnest(@ids, @attempts, @progress) AS held(id, attempt, progress) JOIN jobs USING (id, attempt)
                WHERE jobs.state = 'running' AND held.progress IS NOT NULL
                ORDER BY jobs.id FOR UPDATE OF jobs),
            written AS (UPDATE jobs SET progress = held.progress::jsonb FROM held WHERE jobs.id = held.id)
            SELECT id, attempt, stop_requested, claimed_at < clock_timestamp() - interval '10 seconds' FROM jobs WHERE worker_id = @worker
            """
        );
        // Without this limit, a connection that hangs would block all heartbeats until long after the lease.
        command.CommandTimeout = TimeoutSeconds;
        command.Parameters.AddWithValue("worker", worker.Id);
        command.Parameters.AddWithValue("name", worker.Name);
        command.Parameters.AddWithValue("presence_key", worker.PresenceKey);
        command.Parameters.AddWithValue("device", worker.Device);
        command.Parameters.AddWithValue("slots", worker.Slots);
        command.Parameters.AddWithValue("spec_revision", KnownRevision);
        command.Parameters.Add(Text("suspended_reason", suspendedReason));
        command.Parameters.AddWithValue("devices", NpgsqlDbType.Jsonb, Json.Write(devices ?? []));
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
