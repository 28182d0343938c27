using System.Security.Claims;
using Temper.Api.Http;
using Temper.Store;
using Temper.Store.Keys;

namespace Temper.Api.Access;

/// <summary>What a lookup found.</summary>
/// <param name="IsNeeded">Whether requests need a key at all.</param>
/// <param name="Key">The key, which may be revoked or expired; null when none is known.</param>
internal sealed record KeyLookup(bool IsNeeded, FoundKey? Key)
{
    public bool IsValid => Key is { IsRevoked: false, IsExpired: false };

    /// <summary>Why the key is refused; null when it is valid.</summary>
    public string? Refusal =>
        Key is null ? "The key is wrong."
        : Key.IsRevoked ? "The key is revoked."
        : Key.IsExpired ? "The key has expired."
        : null;

    /// <summary>The caller that the valid key stands for.</summary>
    public ClaimsPrincipal Caller =>
        Http.Caller.Of(CallerKind.Key, Key!.Name, Key.Tenant, Key.Scopes, Key.Id, Earlier(Key.ExpiresAt, Key.SessionEndsAt));

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => other is null || one < other ? one : other;
}

/// <summary>
/// Looks keys up in the database for each request and keeps nothing, so a revoked key is refused at once. Requests share statements,
/// so one connection is enough for all.
/// </summary>
internal sealed class KeyLookups
{
    private readonly SharedRounds<string, FoundKeys> rounds;
    private readonly Exposure exposure;
    private readonly KeyUse use;

    public KeyLookups(KeyStore store, Reconnection reconnection, Exposure exposure, KeyUse use)
    {
        rounds = new(digests => reconnection.AgainAsync(() => store.FindAsync(digests)));
        (this.exposure, this.use) = (exposure, use);
    }

    /// <param name="credential">Null when the request shows none.</param>
    public async Task<KeyLookup> FindAsync(Credential? credential)
    {
        if (credential?.Digest is not { } digest)
            return new(exposure.AlwaysNeedsKeys || (await rounds.AskAsync()).AnyKeys, null);
        var found = await rounds.AskAsync(digest);
        var key = found.ByDigest.GetValueOrDefault(digest);
        var lookup = new KeyLookup(
            exposure.AlwaysNeedsKeys || found.AnyKeys,
            key is not null && key.SessionEndsAt is not null == credential.IsSession ? key : null
        );
        if (lookup.IsValid)
            use.Note(key!.Id);
        return lookup;
    }

    /// <summary>Whether the request would still be let in, for one that is answered over a long time.</summary>
    public async Task<bool> StillHoldsAsync(HttpContext context)
    {
        if (Caller.KindOf(context) == CallerKind.Token)
            return true; // its end is known
        try
        {
            var lookup = await FindAsync(Credential.Of(context.Request));
            return lookup.IsValid || !lookup.IsNeeded;
        }
        catch (Exception e) when (Outage.Behind(e) is not null)
        {
            return true; // asked again at the next heartbeat
        }
    }
}
