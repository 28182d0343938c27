using Npgsql;
using Temper.Store.Rows;

namespace Temper.Store.Keys;

/// <summary>What the database knows of keys or sessions that requests carry.</summary>
/// <param name="AnyKeys">Whether any key was ever made, revoked ones included.</param>
/// <param name="ByDigest">The keys by the digest of the key or of the session's cookie, in hexadecimal.</param>
public sealed record FoundKeys(bool AnyKeys, IReadOnlyDictionary<string, FoundKey> ByDigest);

/// <param name="IsExpired">By the database's clock.</param>
/// <param name="SessionEndsAt">Null where the digest is that of a key.</param>
public sealed record FoundKey(
    Guid Id,
    string Name,
    string Tenant,
    IReadOnlyList<string> Scopes,
    bool IsRevoked,
    bool IsExpired,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset? SessionEndsAt
);

/// <summary>The keys to the API and the sessions that browsers opened with them.</summary>
/// <param name="lookups">The pool in which requests look up their keys, so that they wait for nothing else.</param>
public sealed class KeyStore(NpgsqlDataSource database, NpgsqlDataSource lookups)
{
    private const string Columns = "id, name, tenant, digest, prefix, scopes, created_at, created_by, expires_at, revoked_at, last_used_at";

    /// <summary>One statement, so that it takes one turn at the server.</summary>
    private const string Find = """
        SELECT EXISTS (SELECT FROM keys), found.* FROM (SELECT) one LEFT JOIN (
            SELECT digest, id, name, tenant, scopes, revoked_at IS NOT NULL, coalesce(expires_at <= clock_timestamp(), false), expires_at,
                NULL::timestamptz
            FROM keys WHERE digest = ANY($1)
            UNION ALL
            SELECT sessions.digest, id, name, tenant, scopes, revoked_at IS NOT NULL, coalesce(expires_at <= clock_timestamp(), false),
                expires_at, ends_at
            FROM sessions JOIN keys ON keys.id = key_id WHERE sessions.digest = ANY($1) AND ends_at > clock_timestamp()
        ) found ON true
        """;

    /// <returns>Null when an unrevoked key of the tenant has the name.</returns>
    public async Task<NewKey?> CreateAsync(KeySpec spec, string createdBy, CancellationToken cancellation = default)
    {
        var text = KeyText.New();
        await using var command = database.CreateCommand(
            $"""
            INSERT INTO keys (id, name, tenant, digest, prefix, scopes, created_by, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8)
            ON CONFLICT (tenant, name) WHERE revoked_at IS NULL DO NOTHING
            RETURNING {Columns}
            """
        );
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7() });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = spec.Name });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = spec.Tenant });
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = KeyText.DigestOf(text) });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = KeyText.PrefixOf(text) });
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. spec.Scopes.Distinct().Order().Select(Scopes.Word)] });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = createdBy });
        command.Parameters.Add(
            new NpgsqlParameter<TimeSpan?> { TypedValue = spec.Expires is { } expires ? KeySpec.LifetimeOf(expires) : null }
        );
        return await RowAsync(command, cancellation) is { } row ? new(text, row) : null;
    }

    /// <param name="most">The most keys to list. Revoked ones are left out first, then the oldest.</param>
    /// <returns>The keys, newest first.</returns>
    public async Task<IReadOnlyList<KeyRow>> ListAsync(int most = int.MaxValue, CancellationToken cancellation = default)
    {
        await using var command = database.CreateCommand(
            $"""
            SELECT * FROM (SELECT {Columns} FROM keys ORDER BY revoked_at IS NOT NULL, created_at DESC LIMIT $1) listed
            ORDER BY created_at DESC, id
            """
        );
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = most });
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        var rows = new List<KeyRow>();
        while (await reader.ReadAsync(cancellation))
            rows.Add(Read(reader));
        return rows;
    }

    /// <summary>Revokes a key and ends its sessions. Asking again changes nothing.</summary>
    /// <returns>Null when there is no such key.</returns>
    public async Task<KeyRow?> RevokeAsync(Guid id, CancellationToken cancellation = default)
    {
        await using var command = database.CreateCommand(
            $"""
            WITH ended AS (DELETE FROM sessions WHERE key_id = $1)
            UPDATE keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = $1 RETURNING {Columns}
            """
        );
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        return await RowAsync(command, cancellation);
    }

    /// <summary>Whether any key was ever made.</summary>
    public async Task<bool> AnyAsync(CancellationToken cancellation) => (await FindAsync([], cancellation)).AnyKeys;

    /// <param name="digests">In hexadecimal.</param>
    public async Task<FoundKeys> FindAsync(IEnumerable<string> digests, CancellationToken cancellation = default)
    {
        await using var command = lookups.CreateCommand(Find);
        command.Parameters.Add(new NpgsqlParameter<byte[][]> { TypedValue = [.. digests.Distinct().Select(Convert.FromHexString)] });
        await using var row = await command.ExecuteReaderAsync(cancellation);
        var (any, found) = (false, new Dictionary<string, FoundKey>());
        while (await row.ReadAsync(cancellation))
        {
            any = row.GetBoolean(0);
            if (!row.IsDBNull(1))
                found[Convert.ToHexString(row.GetFieldValue<byte[]>(1))] = new(
                    row.GetGuid(2),
                    row.GetString(3),
                    row.GetString(4),
                    row.GetFieldValue<string[]>(5),
                    row.GetBoolean(6),
                    row.GetBoolean(7),
                    TimeOf(row, 8),
                    TimeOf(row, 9)
                );
        }
        return new(any, found);
    }

    /// <summary>Sets the time of the last use to now, except where another process has done so within the last minute.</summary>
    public async Task TouchAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellation)
    {
        await using var command = database.CreateCommand(
            """
            UPDATE keys SET last_used_at = clock_timestamp()
            WHERE id = ANY($1) AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
            """
        );
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. ids] });
        await command.ExecuteNonQueryAsync(cancellation);
    }

    /// <summary>Opens a session, and removes those that are over.</summary>
    /// <param name="digest">SHA-256 of the cookie's value.</param>
    public async Task OpenSessionAsync(byte[] digest, Guid key, TimeSpan lifetime, CancellationToken cancellation)
    {
        await using var command = database.CreateCommand(
            """
            WITH old AS (DELETE FROM sessions WHERE ends_at <= clock_timestamp())
            INSERT INTO sessions (digest, key_id, ends_at) VALUES ($1, $2, clock_timestamp() + $3) ON CONFLICT DO NOTHING
            """
        );
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = digest });
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = key });
        command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = lifetime });
        await command.ExecuteNonQueryAsync(cancellation);
    }

    public async Task EndSessionAsync(byte[] digest, CancellationToken cancellation)
    {
        await using var command = database.CreateCommand("DELETE FROM sessions WHERE digest = $1");
        command.Parameters.Add(new NpgsqlParameter<byte[]> { TypedValue = digest });
        await command.ExecuteNonQueryAsync(cancellation);
    }

    private static async Task<KeyRow?> RowAsync(NpgsqlCommand command, CancellationToken cancellation)
    {
        await using var reader = await command.ExecuteReaderAsync(cancellation);
        return await reader.ReadAsync(cancellation) ? Read(reader) : null;
    }

    private static KeyRow Read(NpgsqlDataReader row) =>
        new()
        {
            Id = row.GetGuid(0),
            Name = row.GetString(1),
            Tenant = row.GetString(2),
            Digest = row.GetFieldValue<byte[]>(3),
            Prefix = row.GetString(4),
            Scopes = row.GetFieldValue<string[]>(5),
            CreatedAt = row.GetFieldValue<DateTimeOffset>(6),
            CreatedBy = row.GetString(7),
            ExpiresAt = TimeOf(row, 8),
            RevokedAt = TimeOf(row, 9),
            LastUsedAt = TimeOf(row, 10),
        };

    private static DateTimeOffset? TimeOf(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
}
