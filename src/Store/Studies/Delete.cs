using Npgsql;

namespace Temper.Store.Studies;

public sealed partial class StudyQueue
{
    /// <summary>Deletes a study of which nothing is running, with all its jobs and what they left.</summary>
    /// <returns>False while jobs of it run; null when there is no such study.</returns>
    public async Task<bool?> DeleteAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await LockAsync(connection, id, cancellationToken) is null) return null;
        // The foreign key holds the arms, and so the study, as long as a job is left.
        await ExecuteAsync(connection, "DELETE FROM jobs WHERE id = ANY (ARRAY(SELECT id FROM jobs WHERE study_id = @id ORDER BY id FOR UPDATE)) AND state <> 'running'", cancellationToken, new NpgsqlParameter("id", id));
        await using var left = new NpgsqlCommand("SELECT EXISTS (SELECT FROM jobs WHERE study_id = @id)", connection) { Parameters = { new("id", id) } };
        if ((bool)(await left.ExecuteScalarAsync(cancellationToken))!) return false; // nothing is committed
        await ExecuteAsync(connection, "DELETE FROM studies WHERE id = @id", cancellationToken, new NpgsqlParameter("id", id));
        await transaction.CommitAsync(cancellationToken);
        return true;
    }
}
