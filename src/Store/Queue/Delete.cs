namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Deletes a job that is not running, with its epochs, attempts, checkpoint and model.</summary>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> DeleteAsync(Guid id, CancellationToken cancellationToken) =>
        CommandAsync("DELETE FROM jobs WHERE id = @id AND state <> 'running' RETURNING id", id, cancellationToken);
}
