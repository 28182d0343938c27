using Npgsql;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Sets whether retention spares the job.</summary>
    /// <returns>False when there is no such job.</returns>
    public Task<bool> PinAsync(Guid id, bool pinned, CancellationToken cancellationToken) =>
        CommandAsync(
            "UPDATE jobs SET pinned = @pinned WHERE id = @id RETURNING id",
            id,
            cancellationToken,
            new NpgsqlParameter("pinned", pinned)
        );
}
