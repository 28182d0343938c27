using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Temper.Api.Audit;
using Temper.Api.Http;
using Temper.Store.Audit;

namespace Temper.Api.Access;

internal static class AccessServices
{
    private const string KeyScheme = "key";

    /// <summary>Adds what authenticates, authorizes, limits and records requests.</summary>
    public static void AddAccess(this IServiceCollection services, OidcOptions oidc)
    {
        services.AddSingleton<KeyUse>();
        services.AddHostedService(provider => provider.GetRequiredService<KeyUse>());
        services.AddSingleton<KeyLookups>();
        services.AddSingleton<RequestLimits>();
        services.AddSingleton<AuditStore>();
        services.AddSingleton<AuditTrail>();
        services.AddSingleton<AccessResults>();
        services.AddSingleton<IAuthorizationMiddlewareResultHandler>(provider => provider.GetRequiredService<AccessResults>());
        services.AddScopePolicies();
        // No scheme is the default: only the policies of endpoints authenticate, so an open endpoint looks no key up.
        var authentication = services
            .AddAuthentication()
            .AddPolicyScheme(
                ScopePolicies.Scheme,
                null,
                options =>
                    options.ForwardDefaultSelector = context =>
                        oidc.Authority is not null && Oidc.IsToken(context.Request) ? Oidc.Scheme : KeyScheme
            )
            .AddScheme<AuthenticationSchemeOptions, KeyHandler>(KeyScheme, null);
        if (oidc.Authority is null)
            return;
        services.AddSingleton<IssuerMetadata>();
        authentication.AddOidc(oidc);
    }
}
