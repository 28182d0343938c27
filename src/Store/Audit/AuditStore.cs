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
)
{
    /// <summary>Unique; an entry is stored once, however often it is written.</summary>
    public Guid Id { get; init; } = Guid.CreateVersion7();
}

/// <summary>Writes the audit.</summary>
public sealed class AuditStore(NpgsqlDataSource database)
{
    /// <summary>Longest stored text, in UTF-16 code units. A longer one loses its end.</summary>
    private const int LongestText = 500;

    /// <returns>The entries that cannot be stored, each with the reason. They take no other entry with them.</returns>
    /// <exception cref="NpgsqlException">The database does not answer.</exception>
    public async Task<IReadOnlyDictionary<AuditEntry, Exception>> WriteAsync(
        IReadOnlyList<AuditEntry> entries,
        CancellationToken cancellation = default
    )
    {
        var failed = new Dictionary<AuditEntry, Exception>();
        try
        {
            await InsertAsync(entries, cancellation);
        }
        catch (Exception e) when (Outage.Behind(e) is null && !cancellation.IsCancellationRequested)
        {
            if (entries.Count == 1)
                failed[entries[0]] = e;
            else
                foreach (var entry in entries)
                foreach (var (one, reason) in await WriteAsync([entry], cancellation))
                    failed[one] = reason;
        }
        return failed;
    }

    private async Task InsertAsync(IReadOnlyList<AuditEntry> entries, CancellationToken cancellation)
    {
        await using var command = database.CreateCommand(
            """
            INSERT INTO audit (entry_id, tenant, actor, key_id, action, target, status, address, detail)
            SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (entry_id) DO NOTHING
            """
        );
        Add(NpgsqlDbType.Uuid, entries.Select(entry => entry.Id));
        AddText(entry => entry.Tenant);
        AddText(entry => entry.Actor);
        Add(NpgsqlDbType.Uuid, entries.Select(entry => entry.KeyId));
        AddText(entry => entry.Action);
        AddText(entry => entry.Target);
        Add(NpgsqlDbType.Integer, entries.Select(entry => entry.Status));
        AddText(entry => entry.Address);
        AddText(entry => entry.Detail);
        await command.ExecuteNonQueryAsync(cancellation);

        void AddText(Func<AuditEntry, string?> text) =>
            Add(NpgsqlDbType.Text, entries.Select(entry => text(entry) is { } given ? CleanText.Of(given, LongestText) : null));

        void Add<T>(NpgsqlDbType type, IEnumerable<T> values) =>
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | type, Value = values.ToArray() });
    }
}
