using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Temper.Api.Http;

/// <summary>Whether others than this machine can reach the API, and so whether it may serve without keys.</summary>
internal sealed class Exposure(OidcOptions oidc)
{
    /// <summary>An address beyond this machine that the API listens on; null when there is none.</summary>
    public string? Beyond { get; private set; }

    /// <summary>Whether requests need a key or token even before the first key is made.</summary>
    public bool AlwaysNeedsKeys => oidc.Authority is not null || Beyond is not null;

    /// <summary>Whether the API must not serve until there is a key.</summary>
    public bool MustNotServeWithoutKeys => oidc.Authority is null && Beyond is not null;

    public void Add(ListenOptions listener)
    {
        if (!(listener.IPEndPoint is { } address && IPAddress.IsLoopback(address.Address)))
            Beyond = listener.ToString();
    }
}
