using System.Data;
using System.Runtime.InteropServices;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Evaluations;
using Temper.Domain.Serialization;
using Temper.Store.Rows;
using Temper.Store.Tenants;

namespace Temper.Store.Evaluations;

/// <summary>Stores evaluations with their arrays, and reads the arrays back.</summary>
public sealed class EvaluationStore(NpgsqlDataSource database)
{
    /// <summary>Timeout of a statement. A few hundred megabytes take longer than the few seconds that others may take.</summary>
    private const int CommandSeconds = 60;

    /// <summary>
    /// Bytes of a piece. Neither PostgreSQL nor this process then needs an array in memory a second time, and no value comes near
    /// PostgreSQL's limit of 1 GiB.
    /// </summary>
    private const int PieceBytes = 4 << 20;

    private const string TestLogits = "test_logits",
        TestLabels = "test_labels",
        ValidationLogits = "validation_logits",
        ValidationLabels = "validation_labels",
        TrueProbabilities = "true_probabilities";

    /// <summary>
    /// Stores an evaluation with its arrays in one transaction. It writes the arrays while the row, which has figures of the report, is
    /// computed.
    /// </summary>
    /// <param name="id">That of the row.</param>
    /// <param name="row">`Sequence` and `CreatedAt` are ignored.</param>
    /// <returns>False when an evaluation with this id or this idempotency key exists; nothing is stored then.</returns>
    /// <exception cref="PostgresException">With <see cref="TenantStore.UploadsReached"/>: the tenant may store no more.</exception>
    public async Task<bool> InsertAsync(Guid id, EvaluatedLogits logits, Task<EvaluationRow> row, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (
            var pieces = await connection.BeginBinaryImportAsync(
                "COPY evaluation_pieces (evaluation_id, part, piece, data) FROM STDIN (FORMAT BINARY)",
                cancellationToken
            )
        )
        {
            pieces.Timeout = TimeSpan.FromSeconds(CommandSeconds);
            await WriteAsync(pieces, id, TestLogits, logits.Test.Logits, cancellationToken);
            await WriteAsync(pieces, id, TestLabels, logits.Test.Labels, cancellationToken);
            if (logits.Validation is { } validation)
            {
                await WriteAsync(pieces, id, ValidationLogits, validation.Logits, cancellationToken);
                await WriteAsync(pieces, id, ValidationLabels, validation.Labels, cancellationToken);
            }
            if (logits.TrueProbabilities is { } trueProbabilities)
                await WriteAsync(pieces, id, TrueProbabilities, trueProbabilities, cancellationToken);
            await pieces.CompleteAsync(cancellationToken);
        }
        // The foreign key of the pieces is checked at the commit.
        var evaluation = await row;
        if (!await InsertRowAsync(connection, evaluation, cancellationToken))
            return false;
        await TenantStore.CheckUploadedAsync(connection, evaluation.Tenant, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    /// <returns>The arrays of an evaluation; null when it has just been deleted.</returns>
    public async Task<EvaluatedLogits?> LogitsAsync(EvaluationRow row, CancellationToken cancellationToken)
    {
        var test = (Logits: new float[row.Count * row.Classes], Labels: new int[row.Count]);
        var validation = (Logits: new float[(row.ValidationCount ?? 0) * row.Classes], Labels: new int[row.ValidationCount ?? 0]);
        var trueProbabilities = new double[row.HasTrueProbabilities ? row.Count : 0];
        var isComplete =
            await ReadAsync(row.Id, TestLogits, test.Logits, cancellationToken)
            && await ReadAsync(row.Id, TestLabels, test.Labels, cancellationToken)
            && await ReadAsync(row.Id, ValidationLogits, validation.Logits, cancellationToken)
            && await ReadAsync(row.Id, ValidationLabels, validation.Labels, cancellationToken)
            && await ReadAsync(row.Id, TrueProbabilities, trueProbabilities, cancellationToken);
        return isComplete
            ? new(
                new(test.Logits, test.Labels, row.Classes),
                row.ValidationCount is null ? null : new(validation.Logits, validation.Labels, row.Classes),
                row.HasTrueProbabilities ? trueProbabilities : null
            )
            : null;
    }

    /// <returns>False when there was no such evaluation.</returns>
    public async Task<bool> DeleteAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("DELETE FROM evaluations WHERE id = $1");
        command.CommandTimeout = CommandSeconds;
        command.Parameters.AddWithValue(id);
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    /// <summary>While another transaction stores one with the same key, the statement waits for its end.</summary>
    private static async Task<bool> InsertRowAsync(NpgsqlConnection connection, EvaluationRow row, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO evaluations (id, name, idempotency_key, sha256, outputs, count, classes, validation_count, floored_zeros,
                                     has_true_probabilities, scores, notes, tenant)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING
            """,
            connection
        )
        {
            CommandTimeout = CommandSeconds,
            Parameters =
            {
                new() { Value = row.Id },
                new() { Value = (object?)row.Name ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
                new() { Value = (object?)row.IdempotencyKey ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
                new() { Value = row.Sha256 },
                new() { Value = TemperDb.Word(row.Outputs) },
                new() { Value = row.Count },
                new() { Value = row.Classes },
                new() { Value = (object?)row.ValidationCount ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer },
                new() { Value = row.FlooredZeros },
                new() { Value = row.HasTrueProbabilities },
                new() { Value = Json.Write(row.Scores), NpgsqlDbType = NpgsqlDbType.Jsonb },
                new() { Value = row.Notes },
                new() { Value = row.Tenant },
            },
        };
        return await command.ExecuteNonQueryAsync(cancellationToken) > 0;
    }

    private static async Task WriteAsync<T>(
        NpgsqlBinaryImporter pieces,
        Guid id,
        string part,
        T[] values,
        CancellationToken cancellationToken
    )
        where T : unmanaged
    {
        var length = MemoryMarshal.AsBytes(values.AsSpan()).Length;
        var piece = new byte[Math.Min(length, PieceBytes)];
        for (var start = 0; start < length; start += PieceBytes)
        {
            var count = Math.Min(PieceBytes, length - start);
            MemoryMarshal.AsBytes(values.AsSpan()).Slice(start, count).CopyTo(piece);
            await pieces.StartRowAsync(cancellationToken);
            await pieces.WriteAsync(id, NpgsqlDbType.Uuid, cancellationToken);
            await pieces.WriteAsync(part, NpgsqlDbType.Text, cancellationToken);
            await pieces.WriteAsync(start / PieceBytes, NpgsqlDbType.Integer, cancellationToken);
            await pieces.WriteAsync(new ReadOnlyMemory<byte>(piece, 0, count), NpgsqlDbType.Bytea, cancellationToken);
        }
    }

    /// <returns>Whether the pieces fill the array.</returns>
    private async Task<bool> ReadAsync<T>(Guid id, string part, T[] values, CancellationToken cancellationToken)
        where T : unmanaged
    {
        if (values.Length == 0)
            return true;
        await using var command = database.CreateCommand(
            "SELECT data FROM evaluation_pieces WHERE evaluation_id = $1 AND part = $2 ORDER BY piece"
        );
        command.CommandTimeout = CommandSeconds;
        command.Parameters.AddWithValue(id);
        command.Parameters.AddWithValue(part);
        await using var row = await command.ExecuteReaderAsync(CommandBehavior.SequentialAccess, cancellationToken);
        var (buffer, filled) = (new byte[256 << 10], 0);
        while (await row.ReadAsync(cancellationToken))
        {
            await using var data = await row.GetStreamAsync(0, cancellationToken);
            for (int read; (read = await data.ReadAsync(buffer, cancellationToken)) > 0; filled += read)
                buffer.AsSpan(0, read).CopyTo(MemoryMarshal.AsBytes(values.AsSpan())[filled..]);
        }
        return filled == MemoryMarshal.AsBytes(values.AsSpan()).Length;
    }
}
