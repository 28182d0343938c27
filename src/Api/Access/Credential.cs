using System.Net.Http.Headers;
using Temper.Api.Http;
using Temper.Store.Keys;

namespace Temper.Api.Access;

/// <summary>What a request shows: a key, or the cookie of a session.</summary>
/// <param name="Secret">Null when the request shows something that has not the form of a key.</param>
internal sealed record Credential(string? Secret, bool IsSession)
{
    public string? Digest { get; } = Secret is null ? null : Convert.ToHexString(KeyText.DigestOf(Secret));

    /// <summary>The part of a key that may be logged; null without one.</summary>
    public string? Prefix => Secret is null || IsSession ? null : KeyText.PrefixOf(Secret);

    public static Credential OfKey(string text) => new(KeyText.IsKey(text) ? text : null, IsSession: false);

    /// <returns>Null when the request shows nothing. A key that it names itself counts rather than its cookie.</returns>
    public static Credential? Of(HttpRequest request)
    {
        if (request.Headers.Authorization.Count > 0)
            return OfKey(BearerOf(request) ?? "");
        // A page of another host of the same site gets nothing by the cookie, although the browser sends it there.
        return SessionCookie.In(request) is { } secret && SameOrigin.IsOurs(request) ? new(secret, IsSession: true) : null;
    }

    /// <returns>What follows `Bearer` in the header Authorization; null when that has another form.</returns>
    public static string? BearerOf(HttpRequest request) =>
        AuthenticationHeaderValue.TryParse(request.Headers.Authorization.ToString(), out var header)
        && header.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase)
            ? header.Parameter?.Trim()
            : null;
}
