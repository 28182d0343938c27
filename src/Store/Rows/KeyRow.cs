namespace Temper.Store.Rows;

/// <summary>A key to the API. The key itself is not stored. A row is never deleted, so that its name stays readable in the audit.</summary>
public sealed class KeyRow
{
    public Guid Id { get; init; }

    /// <summary>Unique among the tenant's keys that are not revoked.</summary>
    public required string Name { get; init; }

    public required string Tenant { get; init; }

    /// <summary>SHA-256 of the key, 32 bytes.</summary>
    public required byte[] Digest { get; init; }

    /// <summary>The first characters of the key, to tell keys apart.</summary>
    public required string Prefix { get; init; }

    /// <summary>Words of <see cref="Keys.Scope"/>.</summary>
    public required string[] Scopes { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Name of the key, or the command, that made it.</summary>
    public required string CreatedBy { get; init; }

    public DateTimeOffset? ExpiresAt { get; init; }

    public DateTimeOffset? RevokedAt { get; init; }

    /// <summary>Up to a minute old.</summary>
    public DateTimeOffset? LastUsedAt { get; init; }
}

/// <summary>The session of a browser that signed in with a key.</summary>
public sealed class SessionRow
{
    /// <summary>SHA-256 of the cookie's value, 32 bytes.</summary>
    public required byte[] Digest { get; init; }

    public Guid KeyId { get; init; }

    public DateTimeOffset EndsAt { get; init; }
}

/// <summary>
/// A request that changed something, that may have done so before it failed, or that was refused although its key was known.
/// </summary>
public sealed class AuditRow
{
    public long Id { get; init; }

    /// <summary>Chosen by the process that writes the row, so that a repeated statement writes it once.</summary>
    public Guid EntryId { get; init; }

    public DateTimeOffset At { get; init; }

    public required string Tenant { get; init; }

    /// <summary>Name of the key, subject of the token, or `command line`.</summary>
    public required string Actor { get; init; }

    /// <summary>Null for a token of an issuer, for a command line, and on an API without keys.</summary>
    public Guid? KeyId { get; init; }

    /// <summary>The operation's id in the API's description, or its method and path where it has none.</summary>
    public required string Action { get; init; }

    /// <summary>Id or name of what was changed; null when the path and the answer name nothing.</summary>
    public string? Target { get; init; }

    /// <summary>HTTP status of the answer.</summary>
    public int Status { get; init; }

    /// <summary>Address of the client.</summary>
    public string? Address { get; init; }

    /// <summary>The query of a change, or the reason of a refusal.</summary>
    public string? Detail { get; init; }
}
