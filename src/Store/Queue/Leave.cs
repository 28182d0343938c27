namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Takes a worker that shut down off the list, unless it still owns a job.</summary>
    public async Task LeaveAsync(Guid worker, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "DELETE FROM workers WHERE id = $1 AND NOT EXISTS (SELECT FROM jobs WHERE worker_id = $1)");
        command.Parameters.AddWithValue(worker);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Takes workers off the list that owned no job and gave no sign of life for an hour.</summary>
    public async Task ForgetDeadWorkersAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            DELETE FROM workers
            WHERE heartbeat_at < clock_timestamp() - interval '1 hour' AND NOT EXISTS (SELECT FROM jobs WHERE worker_id = workers.id)
            """);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
