using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using Temper.Api.Http;
using Temper.Store.Keys;

namespace Temper.Api.Access;

/// <summary>Why a request is refused. It is a feature of the request.</summary>
/// <param name="Key">The key, when it is known.</param>
/// <param name="Shown">What of the key or token may be logged.</param>
internal sealed record RefusedCaller(string Title, FoundKey? Key, string? Shown);

/// <summary>
/// Authenticates `Authorization: Bearer KEY`, and the cookie of a browser that signed in with a key. On an API without keys everyone
/// is the caller `local`.
/// </summary>
internal sealed class KeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory loggers,
    UrlEncoder encoder,
    KeyLookups keys
) : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        // The framework asks for open endpoints too, which must answer without a database.
        if (Context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null)
            return AuthenticateResult.NoResult();
        var credential = Credential.Of(Request);
        var lookup = await keys.FindAsync(credential);
        if (!lookup.IsNeeded)
            return AuthenticateResult.Success(new(Caller.Everyone, Scheme.Name));
        if (lookup.IsValid)
            return AuthenticateResult.Success(new(lookup.Caller, Scheme.Name));
        if (credential is null || (credential.IsSession && lookup.Key is null))
            return AuthenticateResult.NoResult();
        Context.Features.Set(new RefusedCaller(lookup.Refusal!, lookup.Key, credential.Prefix)); // the framework would log a failure too
        return AuthenticateResult.NoResult();
    }
}
