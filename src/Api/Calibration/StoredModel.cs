using Npgsql;
using Temper.Api.Http;

namespace Temper.Api.Calibration;

/// <summary>The stored model of a job. It opens columns as streams, so that no column is in memory as a whole.</summary>
/// <param name="sizes">Sizes of the stored columns, in bytes.</param>
internal sealed class StoredModel(StoredModels models, Guid job, int? classes, IReadOnlyDictionary<string, int> sizes)
{
    /// <summary>K, the number of classes; null when logits were not kept.</summary>
    public int? Classes => classes;

    public bool HasWeights => sizes.ContainsKey("weights");

    /// <summary>Number of images of a split.</summary>
    public int Count(string split) => sizes[$"{split}_labels"] / sizeof(int);

    public Stream Open(string column) => new StoredBytes(models, job, column, sizes[column]);
}

/// <summary>Reads models piece by piece. It reads at most 8 pieces at once for all downloads together.</summary>
internal sealed class StoredModels(NpgsqlDataSource database, Reconnection reconnection) : IDisposable
{
    private const int PiecesAtOnce = 8;

    private static readonly string[] Columns = ["weights", "validation_logits", "validation_labels", "test_logits", "test_labels"];

    private static readonly string SizesSql =
        $"SELECT classes, {string.Join(", ", Columns.Select(column => $"octet_length({column})"))} FROM models WHERE job_id = $1";

    private readonly SemaphoreSlim pieces = new(PiecesAtOnce);

    /// <returns>The model; null when none was kept.</returns>
    public async Task<StoredModel?> FindAsync(Guid job, CancellationToken cancellation)
    {
        await using var command = database.CreateCommand(SizesSql);
        command.Parameters.AddWithValue(job);
        await using var row = await command.ExecuteReaderAsync(cancellation);
        if (!await row.ReadAsync(cancellation))
            return null;
        var sizes = Columns.Select((name, i) => (name, place: i + 1)).Where(column => !row.IsDBNull(column.place));
        return new(
            this,
            job,
            row.IsDBNull(0) ? null : row.GetInt32(0),
            sizes.ToDictionary(column => column.name, column => row.GetInt32(column.place))
        );
    }

    /// <summary>
    /// Fills the piece from a column, at an offset in bytes. No connection is held while the piece is sent, even to a slow
    /// reader.
    /// </summary>
    /// <exception cref="IOException">The column was removed since the download began.</exception>
    public async Task ReadAsync(Guid job, string column, long offset, Memory<byte> piece, CancellationToken cancellation)
    {
        await pieces.WaitAsync(cancellation);
        try
        {
            await reconnection.AgainAsync(() => FillAsync(job, column, offset, piece, cancellation));
        }
        finally
        {
            pieces.Release();
        }
    }

    private async Task<bool> FillAsync(Guid job, string column, long offset, Memory<byte> piece, CancellationToken cancellation)
    {
        // The columns are stored without compression (STORAGE EXTERNAL), so PostgreSQL reads no more than this piece.
        await using var command = database.CreateCommand($"SELECT substring({column} FROM $2 FOR $3) FROM models WHERE job_id = $1");
        command.Parameters.AddWithValue(job);
        command.Parameters.AddWithValue((int)offset + 1);
        command.Parameters.AddWithValue(piece.Length);
        await using var row = await command.ExecuteReaderAsync(System.Data.CommandBehavior.SequentialAccess, cancellation);
        if (!await row.ReadAsync(cancellation) || row.IsDBNull(0))
            throw new IOException($"The {column} of job {job} were removed while they were sent.");
        await using var bytes = await row.GetStreamAsync(0, cancellation);
        await bytes.ReadExactlyAsync(piece, cancellation);
        return true;
    }

    public void Dispose() => pieces.Dispose();
}
