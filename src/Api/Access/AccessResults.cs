using System.Net;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Authorization.Policy;
using Temper.Api.Audit;
using Temper.Api.Http;
using Temper.Store.Keys;

namespace Temper.Api.Access;

/// <summary>
/// Lets a request on, or refuses it: 401 without a valid key, 403 without the scope, 429 beyond the limits, 503 while the keys of a
/// token's issuer are not known.
/// </summary>
internal sealed class AccessResults(RequestLimits limits, AuditTrail audit, ILogger<AccessResults> log)
    : IAuthorizationMiddlewareResultHandler
{
    private static readonly string[] ThisMachine = ["localhost", "127.0.0.1", "[::1]"];

    /// <summary>Beginnings of the names of headers that proxies add, and of those in which the API's own middleware keeps them.</summary>
    private static readonly string[] OfProxies = ["Forwarded", "X-Forwarded-", "X-Original-", "X-Real-IP", "Via"];

    public Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, PolicyAuthorizationResult result) =>
        Caller.KindOf(context) switch
        {
            null when context.Features.Get<UnknownIssuer>() is not null => IssuerMetadata.TryLater(context).ExecuteAsync(context),
            null => result.Succeeded ? OpenAsync(next, context) : ChallengeAsync(context),
            CallerKind.Local when !IsForThisMachine(context.Request) => OtherHost().ExecuteAsync(context),
            CallerKind.Local => IsFromThisMachine(context) ? next(context) : OtherMachine().ExecuteAsync(context),
            _ when limits.Refusal(context) is { } refusal => refusal.ExecuteAsync(context),
            _ => result.Succeeded ? next(context) : ForbidAsync(context),
        };

    /// <summary>A 401 that says how to send a key.</summary>
    public static IResult NeedsKey(HttpContext context, string title)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Problems.Of(
            StatusCodes.Status401Unauthorized,
            title,
            $"Send a valid key as `Authorization: Bearer KEY`, or sign in by `POST {Routes.Session}`."
        );
    }

    /// <summary>An open route tells a refused caller that it is refused, so such requests count as on any other route.</summary>
    private async Task OpenAsync(RequestDelegate next, HttpContext context)
    {
        var refused = context.Features.Get<RefusedCaller>();
        if (refused is not null && limits.RefusalOfRefused(context) is { } tooMany)
        {
            await tooMany.ExecuteAsync(context);
            return;
        }
        if (refused is not null)
            await RecordAsync(context, refused, StatusCodes.Status200OK);
        await next(context);
    }

    private async Task ChallengeAsync(HttpContext context)
    {
        if (limits.RefusalOfRefused(context) is { } tooMany)
        {
            await tooMany.ExecuteAsync(context);
            return;
        }
        var refused = context.Features.Get<RefusedCaller>();
        if (refused is not null)
            await RecordAsync(context, refused);
        if (SignInPage.IsWantedBy(context.Request))
            await SignInPage.WriteAsync(context, context.Request.Path + context.Request.QueryString);
        else
            await NeedsKey(context, refused?.Title ?? "A key is needed.").ExecuteAsync(context);
    }

    /// <summary>Logs who was refused, and writes it to the audit when the key is known.</summary>
    /// <param name="status">Of the answer.</param>
    public async Task RecordAsync(HttpContext context, RefusedCaller refused, int status = StatusCodes.Status401Unauthorized)
    {
        var (address, title) = (Caller.AddressOf(context), refused.Title);
        if (refused.Key is not { } key)
        {
            log.LogWarning("{Address} was refused: {Reason} It begins with {Prefix}", address, title, refused.Shown ?? "something else");
            return;
        }
        log.LogWarning("{Address} was refused: {Reason} It is {Name} of tenant {Tenant}", address, title, key.Name, key.Tenant);
        await audit.WriteRefusalAsync(context, key.Tenant, key.Name, key.Id, status, title);
    }

    private async Task ForbidAsync(HttpContext context)
    {
        var scope = ScopePolicies.ScopeOf(context.GetEndpoint()?.Metadata ?? EndpointMetadataCollection.Empty) ?? Scope.Read;
        var (name, has) = (Caller.NameOf(context), string.Join(", ", Caller.ScopesOf(context)));
        log.LogWarning(
            "{Address} was refused: {Name} of tenant {Tenant} lacks the scope {Scope}",
            Caller.AddressOf(context),
            name,
            Caller.TenantOf(context),
            scope.Word()
        );
        await audit.WriteRefusalAsync(
            context,
            Caller.TenantOf(context),
            name,
            Caller.KeyOf(context),
            StatusCodes.Status403Forbidden,
            $"It lacks the scope {scope.Word()}."
        );
        context.Response.Headers.WWWAuthenticate = $"Bearer error=\"insufficient_scope\", scope=\"{scope.Word()}\"";
        await TypedResults
            .Problem(
                statusCode: StatusCodes.Status403Forbidden,
                title: $"The scope {scope.Word()} is needed.",
                detail: $"{name} has {(has.Length == 0 ? "no scope" : has)}. Use a key with the scope {scope.Word()}.",
                extensions: new Dictionary<string, object?> { ["scope"] = scope.Word() }
            )
            .ExecuteAsync(context);
    }

    /// <summary>
    /// Without keys, a web page could reach the API by resolving its own name to this machine (DNS rebinding). ASP.NET Core's own host
    /// filtering refuses with an HTML page.
    /// </summary>
    private static bool IsForThisMachine(HttpRequest request) => ThisMachine.Contains(request.Host.Host, StringComparer.OrdinalIgnoreCase);

    /// <summary>A proxy on this machine connects from it too, for clients of anywhere. It shows by the headers that it adds.</summary>
    private static bool IsFromThisMachine(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } address
        && IPAddress.IsLoopback(address)
        && !context.Request.Headers.Keys.Any(name => OfProxies.Any(begin => name.StartsWith(begin, StringComparison.OrdinalIgnoreCase)));

    private static IResult OtherHost() =>
        Problems.Invalid(
            "Another host was asked for.",
            new() { ["host"] = [$"must be one of {string.Join(", ", ThisMachine)} while there are no keys"] }
        );

    private static IResult OtherMachine() =>
        Problems.Of(
            StatusCodes.Status403Forbidden,
            "Only this machine is served while there are no keys.",
            "The request came from another machine or through a proxy. Make a key first: Temper.Api keys create."
        );
}
