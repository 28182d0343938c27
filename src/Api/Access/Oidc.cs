using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.IdentityModel.Tokens;
using Temper.Api.Http;
using Temper.Store.Keys;

namespace Temper.Api.Access;

/// <summary>Tokens of an OpenID Connect issuer, beside the API's own keys.</summary>
internal static class Oidc
{
    public const string Scheme = "token";

    private const int LongestName = 255;

    private static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30),
        IssuerTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Asymmetric ones only: the issuer publishes its keys.</summary>
    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256,
        SecurityAlgorithms.RsaSha384,
        SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256,
        SecurityAlgorithms.RsaSsaPssSha384,
        SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256,
        SecurityAlgorithms.EcdsaSha384,
        SecurityAlgorithms.EcdsaSha512,
    ];

    /// <summary>Whether the request shows a token rather than a key.</summary>
    public static bool IsToken(HttpRequest request) => Credential.BearerOf(request)?.Count(c => c == '.') == 2;

    public static void AddOidc(this AuthenticationBuilder authentication, OidcOptions oidc) =>
        authentication.AddJwtBearer(
            Scheme,
            options =>
            {
                options.Authority = oidc.Authority;
                options.RequireHttpsMetadata = new Uri(oidc.Authority!).Scheme == Uri.UriSchemeHttps; // http is for this machine only
                options.MapInboundClaims = false;
                options.BackchannelTimeout = IssuerTimeout;
                options.TokenValidationParameters = new()
                {
                    ValidAudience = oidc.Audience,
                    ValidAlgorithms = Algorithms,
                    ValidTypes = oidc.TokenTypes.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
                    ClockSkew = ClockSkew,
                    RequireExpirationTime = true,
                    RequireSignedTokens = true,
                    TryAllIssuerSigningKeys = false, // only the key that the token names
                };
                options.Events = new()
                {
                    OnMessageReceived = ReadIssuerAsync,
                    OnTokenValidated = context => Accept(context, oidc),
                    OnAuthenticationFailed = context =>
                    {
                        Refuse(context.HttpContext, context.Exception);
                        return Task.CompletedTask;
                    },
                };
            }
        );

    private static async Task ReadIssuerAsync(MessageReceivedContext context)
    {
        var issuer = context.HttpContext.RequestServices.GetRequiredService<IssuerMetadata>();
        if (await issuer.IsKnownAsync())
            return;
        context.HttpContext.Features.Set(new UnknownIssuer());
        context.NoResult();
    }

    private static Task Accept(TokenValidatedContext context, OidcOptions oidc)
    {
        var claims = context.Principal!;
        var (name, tenant) = (claims.FindFirst(oidc.NameClaim)?.Value, claims.FindFirst(oidc.TenantClaim)?.Value);
        if (!IsName(name) || tenant is null || !KeySpec.IsTenant(tenant))
        {
            var lacks = !IsName(name) ? oidc.NameClaim : oidc.TenantClaim;
            context.HttpContext.Features.Set(new RefusedCaller($"The token has no valid claim {lacks}.", null, "a token"));
            context.Fail($"no {lacks}");
            return Task.CompletedTask;
        }
        var words = claims.FindAll(oidc.ScopeClaim).SelectMany(claim => claim.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        context.Principal = Caller.Of(
            CallerKind.Token,
            name,
            tenant,
            words.Intersect(Scopes.All.Select(Scopes.Word)),
            end: context.SecurityToken.ValidTo + ClockSkew
        );
        return Task.CompletedTask;
    }

    /// <summary>OpenID Connect allows a subject of 255 characters. The name is stored and logged.</summary>
    private static bool IsName([NotNullWhen(true)] string? text) =>
        text is { Length: >= 1 and <= LongestName } && !text.Any(char.IsControl);

    private static void Refuse(HttpContext context, Exception exception)
    {
        var title = exception switch
        {
            SecurityTokenExpiredException => "The token has expired.",
            SecurityTokenInvalidAudienceException => "The token is for another audience.",
            SecurityTokenInvalidIssuerException => "The token is of another issuer.",
            _ => "The token is not valid.",
        };
        context.Features.Set(new RefusedCaller(title, null, "a token"));
    }
}
