namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    private static readonly string HandBackAll = EndStopped("worker_id = @worker AND state = 'running'");

    /// <summary>
    /// Removes the row of a worker that shut down. A job that the worker still owns, because its claim was interrupted, is
    /// handed back.
    /// </summary>
    public async Task LeaveAsync(Guid worker, CancellationToken cancellationToken)
    {
        await using (var handBack = database.CreateCommand(HandBackAll))
        {
            handBack.Parameters.AddWithValue("worker", worker);
            handBack.Parameters.Add(Text("reason", "its worker shut down"));
            handBack.Parameters.Add(Text("error_output", null));
            await handBack.ExecuteNonQueryAsync(cancellationToken);
        }
        await using var leave = database.CreateCommand("DELETE FROM workers WHERE id = $1");
        leave.Parameters.AddWithValue(worker);
        await leave.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Removes the rows of workers that own no job and sent no heartbeat for an hour.</summary>
    public async Task ForgetDeadWorkersAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            DELETE FROM workers
            WHERE heartbeat_at < clock_timestamp() - interval '1 hour' AND NOT EXISTS (SELECT FROM jobs WHERE worker_id = workers.id)
            """
        );
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
