using System.Data;
using Npgsql;

namespace Temper.Store.Datasets;

/// <summary>
/// The bytes of uploaded data sets, in rows of a few MB. Each statement handles one row: a long transaction would hold up the
/// event stream, which waits for the end of every older transaction.
/// </summary>
public sealed class DatasetContents(NpgsqlDataSource database)
{
    /// <summary>docs/decisions/0050-uploaded-data.md has the rates of other sizes.</summary>
    public const int ChunkLength = 4 << 20;

    /// <summary>
    /// Timeout of a statement with a chunk. It is longer than usual, because a busy disk takes long for some MB.
    /// </summary>
    private const int CommandSeconds = 60;

    /// <summary>Starts a content without bytes.</summary>
    public async Task<Guid> BeginAsync(CancellationToken cancellationToken)
    {
        var id = Guid.CreateVersion7();
        await using var insert = database.CreateCommand("INSERT INTO dataset_contents (id) VALUES ($1)");
        insert.Parameters.AddWithValue(id);
        await insert.ExecuteNonQueryAsync(cancellationToken);
        return id;
    }

    /// <summary>Adds the piece with this number, from 0.</summary>
    public async Task AddAsync(Guid content, int number, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await using var insert = database.CreateCommand("INSERT INTO dataset_chunks (content_id, number, bytes) VALUES ($1, $2, $3)");
        insert.CommandTimeout = CommandSeconds;
        insert.Parameters.AddWithValue(content);
        insert.Parameters.AddWithValue(number);
        insert.Parameters.Add(new NpgsqlParameter<ReadOnlyMemory<byte>> { TypedValue = bytes });
        await insert.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Writes the piece with this number to a stream.</summary>
    /// <returns>False when there is no such piece.</returns>
    public async Task<bool> CopyAsync(Guid content, int number, Stream to, CancellationToken cancellationToken)
    {
        await using var read = database.CreateCommand("SELECT bytes FROM dataset_chunks WHERE content_id = $1 AND number = $2");
        read.CommandTimeout = CommandSeconds;
        read.Parameters.AddWithValue(content);
        read.Parameters.AddWithValue(number);
        await using var row = await read.ExecuteReaderAsync(CommandBehavior.SequentialAccess, cancellationToken);
        if (!await row.ReadAsync(cancellationToken))
            return false;
        await using var bytes = await row.GetStreamAsync(0, cancellationToken);
        await bytes.CopyToAsync(to, cancellationToken);
        return true;
    }

    /// <param name="dataset">Its id, such as `birds@3`. Two tenants may have one with the same id.</param>
    /// <param name="sha256">That of its content.</param>
    /// <returns>The content of the tenant's data set, and its length; null when there is none.</returns>
    public async Task<(Guid Id, long Length)?> FindAsync(string tenant, string dataset, string sha256, CancellationToken cancellationToken)
    {
        await using var find = database.CreateCommand(
            "SELECT content_id, length FROM datasets WHERE tenant = $1 AND id = $2 AND sha256 = $3"
        );
        find.Parameters.AddWithValue(tenant);
        find.Parameters.AddWithValue(dataset);
        find.Parameters.AddWithValue(sha256);
        await using var row = await find.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? (row.GetGuid(0), row.GetInt64(1)) : null;
    }
}
