using Npgsql;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Part of a statement whose `held` names the job, locked: an insert guarded by itself alone would race a rescue.</summary>
    private const string ReplaceCheckpoint =
        """
        INSERT INTO checkpoints (job_id, data) SELECT id, @checkpoint FROM held WHERE @checkpoint IS NOT NULL
        ON CONFLICT (job_id) DO UPDATE SET data = excluded.data
        """;

    /// <summary>Replaces the job's checkpoint.</summary>
    /// <returns>False: the job is no longer held and nothing was written.</returns>
    public Task<bool> StoreCheckpointAsync(ClaimedJob job, byte[] checkpoint, CancellationToken cancellationToken) =>
        WriteAsync($"WITH held AS (SELECT id FROM jobs WHERE {Held} FOR SHARE) {ReplaceCheckpoint}", job, cancellationToken, Bytes("checkpoint", checkpoint));

    /// <returns>Null when the job has none: it begins.</returns>
    public async Task<byte[]?> ReadCheckpointAsync(ClaimedJob job, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT data FROM checkpoints WHERE job_id = $1");
        command.Parameters.AddWithValue(job.Id);
        return (byte[]?)await command.ExecuteScalarAsync(cancellationToken);
    }
}
