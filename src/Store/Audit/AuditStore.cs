using Npgsql;
using NpgsqlTypes;

namespace Temper.Store.Audit;

/// <summary>A row of the audit before it has an id and a time.</summary>
public sealed record AuditEntry(
    string Tenant,
    string Actor,
    Guid? KeyId,
    string Action,
    string? Target,
    int Status,
    string? Address,
    string? Detail
);

/// <summary>Writes the audit.</summary>
public sealed class AuditStore(NpgsqlDataSource database)
{
    public async Task WriteAsync(IReadOnlyList<AuditEntry> entries, CancellationToken cancellation = default)
    {
        await using var command = database.CreateCommand(
            """
            INSERT INTO audit (tenant, actor, key_id, action, target, status, address, detail)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
            """
        );
        Add(NpgsqlDbType.Text, entries.Select(entry => entry.Tenant));
        Add(NpgsqlDbType.Text, entries.Select(entry => entry.Actor));
        Add(NpgsqlDbType.Uuid, entries.Select(entry => entry.KeyId));
        Add(NpgsqlDbType.Text, entries.Select(entry => entry.Action));
        Add(NpgsqlDbType.Text, entries.Select(entry => entry.Target));
        Add(NpgsqlDbType.Integer, entries.Select(entry => entry.Status));
        Add(NpgsqlDbType.Text, entries.Select(entry => entry.Address));
        Add(NpgsqlDbType.Text, entries.Select(entry => entry.Detail));
        await command.ExecuteNonQueryAsync(cancellation);

        void Add<T>(NpgsqlDbType type, IEnumerable<T> values) =>
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | type, Value = values.ToArray() });
    }
}
