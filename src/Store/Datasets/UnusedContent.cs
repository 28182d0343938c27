using Npgsql;

namespace Temper.Store.Datasets;

/// <summary>
/// Removes the bytes that no data set refers to. The row of a content goes first: a foreign key refuses its deletion as soon as a
/// data set refers to it. Its pieces then belong to nothing, and go a few at a time.
/// </summary>
public sealed class UnusedContent(NpgsqlDataSource database)
{
    /// <summary>
    /// How long an upload may take from its first stored byte to its end. It is spooled before, so this is ample.
    /// </summary>
    private static readonly TimeSpan LongestUpload = TimeSpan.FromHours(1);

    private const int CommandSeconds = 60;

    /// <summary>Removes the bytes of uploads that broke off, and of data sets that were deleted.</summary>
    /// <returns>Number of contents that were removed.</returns>
    public async Task<int> RemoveAllAsync(CancellationToken cancellationToken)
    {
        await using var delete = database.CreateCommand(
            """
            DELETE FROM dataset_contents c
            WHERE created_at < now() - $1 AND NOT EXISTS (SELECT FROM datasets WHERE content_id = c.id)
            """
        );
        delete.Parameters.AddWithValue(LongestUpload);
        var removed = await delete.ExecuteNonQueryAsync(cancellationToken);
        await RemoveChunksAsync(cancellationToken);
        return removed;
    }

    /// <summary>Removes the bytes of one upload that failed.</summary>
    public async Task RemoveAsync(Guid content, CancellationToken cancellationToken)
    {
        await using var delete = database.CreateCommand("DELETE FROM dataset_contents WHERE id = $1");
        delete.Parameters.AddWithValue(content);
        await delete.ExecuteNonQueryAsync(cancellationToken);
        await RemoveChunksAsync(cancellationToken);
    }

    private async Task RemoveChunksAsync(CancellationToken cancellationToken)
    {
        await using var delete = database.CreateCommand(
            """
            DELETE FROM dataset_chunks WHERE (content_id, number) IN (
                SELECT content_id, number FROM dataset_chunks k
                WHERE NOT EXISTS (SELECT FROM dataset_contents WHERE id = k.content_id) LIMIT 16)
            """
        );
        delete.CommandTimeout = CommandSeconds;
        while (await delete.ExecuteNonQueryAsync(cancellationToken) > 0) { }
    }
}
