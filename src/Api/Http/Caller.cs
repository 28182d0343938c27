using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using Temper.Store.Keys;
using Temper.Store.Tenants;

namespace Temper.Api.Http;

/// <summary>How a caller showed who it is.</summary>
internal enum CallerKind
{
    /// <summary>Not at all: the API has no keys and serves only this machine.</summary>
    Local,

    /// <summary>By a key, or by a session that was opened with it.</summary>
    Key,

    /// <summary>By a token of the OpenID Connect issuer.</summary>
    Token,
}

/// <summary>Who a request comes from.</summary>
internal static class Caller
{
    private const string Name = "name",
        Tenant = "tenant",
        Scope = "scope",
        Key = "key",
        End = "end";

    /// <summary>Everyone, on an API without keys.</summary>
    public static ClaimsPrincipal Everyone { get; } = Of(CallerKind.Local, "local", TenantStore.Default, Scopes.All.Select(Scopes.Word));

    /// <param name="name">Name of the key, or subject of the token.</param>
    /// <param name="scopes">Words of <see cref="Temper.Store.Keys.Scope"/>; they include what <see cref="Scopes"/> says.</param>
    /// <param name="key">The key's id.</param>
    /// <param name="end">When the session, key or token ends; null when it does not end by itself.</param>
    public static ClaimsPrincipal Of(
        CallerKind kind,
        string name,
        string tenant,
        IEnumerable<string> scopes,
        Guid? key = null,
        DateTimeOffset? end = null
    )
    {
        var identity = new ClaimsIdentity(kind.ToString(), Name, roleType: null);
        identity.AddClaims([new(Name, name), new(Tenant, tenant), .. scopes.Select(scope => new Claim(Scope, scope))]);
        if (key is { } id)
            identity.AddClaim(new(Key, id.ToString()));
        if (end is { } time)
            identity.AddClaim(new(End, time.ToString("O", CultureInfo.InvariantCulture)));
        return new(identity);
    }

    /// <returns>Null when the request shows no valid key, session or token, and the API needs one.</returns>
    public static CallerKind? KindOf(HttpContext context) =>
        Enum.TryParse<CallerKind>(context.User.Identity?.AuthenticationType, out var kind) ? kind : null;

    /// <returns>The tenant whose jobs, studies, data sets and evaluations the request may see and change.</returns>
    /// <exception cref="InvalidOperationException">The route is open to everyone, so its requests have no tenant.</exception>
    public static string TenantOf(HttpContext context) =>
        context.User.FindFirstValue(Tenant) ?? throw new InvalidOperationException("The request has no tenant.");

    /// <returns>Name of the key, or subject of the token.</returns>
    /// <exception cref="InvalidOperationException">The route is open to everyone, so its requests have no name.</exception>
    public static string NameOf(HttpContext context) =>
        context.User.FindFirstValue(Name) ?? throw new InvalidOperationException("The request has no name.");

    /// <returns>Id of the key; null without one.</returns>
    public static Guid? KeyOf(HttpContext context) => Guid.TryParse(context.User.FindFirstValue(Key), out var id) ? id : null;

    /// <returns>The scopes that the key or token lists.</returns>
    public static IEnumerable<string> ScopesOf(HttpContext context) => context.User.FindAll(Scope).Select(claim => claim.Value);

    /// <summary>Whether the key or token lists the scope, or one that includes it.</summary>
    public static bool Has(ClaimsPrincipal caller, Scope scope) =>
        Scopes.ThatInclude(scope).Any(listed => caller.HasClaim(Scope, listed.Word()));

    /// <returns>When the session, key or token ends; null when it does not end by itself.</returns>
    public static DateTimeOffset? EndOf(HttpContext context) =>
        DateTimeOffset.TryParse(context.User.FindFirstValue(End), CultureInfo.InvariantCulture, out var end) ? end : null;

    /// <summary>Identifies the client for limits: by its key or token, or by its address when it shows neither.</summary>
    public static string ClientOf(HttpContext context) =>
        KindOf(context) switch
        {
            CallerKind.Key => KeyOf(context)!.Value.ToString(),
            CallerKind.Token => $"{TenantOf(context)}/{NameOf(context)}",
            _ => NetworkOf(context),
        };

    /// <summary>
    /// Identifies the client's network for limits. The first 64 bits of an IPv6 address are one network, since one client has all
    /// addresses of it. Networks share 65,536 names, so no client can make what is kept for each grow without bound. Which networks
    /// share a name differs between processes and cannot be foreseen.
    /// </summary>
    public static string NetworkOf(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress ?? IPAddress.None;
        var network =
            address.IsIPv4MappedToIPv6 ? address.MapToIPv4().ToString()
            : address.AddressFamily == AddressFamily.InterNetworkV6 ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
        return $"network {(ushort)network.GetHashCode()}"; // .NET seeds the hash of a text anew in each process
    }

    /// <returns>The client's address, as text.</returns>
    public static string AddressOf(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "";
}
