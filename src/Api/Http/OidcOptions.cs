namespace Temper.Api.Http;

/// <summary>
/// The OpenID Connect issuer whose tokens the API accepts beside its own keys. The section is `Oidc` in the API's settings
/// (environment `Oidc__Authority` and so on).
/// </summary>
public sealed record OidcOptions
{
    /// <summary>Address of the issuer: https, or http on this machine. Null: no tokens are accepted.</summary>
    public string? Authority { get; init; }

    /// <summary>What a token must name in `aud`. Required with an authority.</summary>
    public string? Audience { get; init; }

    /// <summary>Claim with the caller's name in logs and in the audit. Default `sub`.</summary>
    public string NameClaim { get; init; } = "sub";

    /// <summary>Claim with the tenant. A token without it is refused. Default `tenant`.</summary>
    public string TenantClaim { get; init; } = "tenant";

    /// <summary>Claim with the scopes: words in one text, or a list. Other words are ignored. Default `scope`.</summary>
    public string ScopeClaim { get; init; } = "scope";

    /// <summary>What a token's header may have as `typ`, separated by commas. Default `at+jwt,JWT`.</summary>
    public string TokenTypes { get; init; } = "at+jwt,JWT";

    /// <exception cref="InvalidOperationException">A setting is missing or wrong.</exception>
    public OidcOptions Checked()
    {
        if (Authority is null)
            return this;
        if (!Uri.TryCreate(Authority, UriKind.Absolute, out var address) || !(address.Scheme == "https" || IsHere(address)))
            throw new InvalidOperationException(
                $"Oidc:Authority must be an https address, or an http address of this machine, not {Authority}."
            );
        return string.IsNullOrWhiteSpace(Audience)
            ? throw new InvalidOperationException(
                "Oidc:Audience is required with Oidc:Authority: tokens for other services are not for this one."
            )
            : this;
    }

    private static bool IsHere(Uri address) => address.Scheme == "http" && address.IsLoopback;
}
