using Microsoft.AspNetCore.Authorization;
using Temper.Store.Keys;

namespace Temper.Api.Http;

/// <summary>
/// The authorization policies of endpoints: one for each scope, with the scope's word as its name. An endpoint that names none needs
/// `read`, so a new route is closed unless it says otherwise.
/// </summary>
internal static class ScopePolicies
{
    /// <summary>The scheme that takes keys, sessions and tokens.</summary>
    public const string Scheme = "caller";

    private const string Open = "open";

    public static void AddScopePolicies(this IServiceCollection services) =>
        services.AddAuthorization(options =>
        {
            foreach (var scope in Scopes.All)
                options.AddPolicy(scope.Word(), Policy(caller => Caller.Has(caller.User, scope)));
            options.AddPolicy(Open, Policy(_ => true));
            options.FallbackPolicy = options.DefaultPolicy = options.GetPolicy(Scope.Read.Word())!;
        });

    /// <summary>Requests of the endpoint need the scope.</summary>
    public static T Needs<T>(this T endpoint, Scope scope)
        where T : IEndpointConventionBuilder => endpoint.RequireAuthorization(scope.Word());

    /// <summary>Everyone may call the endpoint; it knows the caller of a request that shows a key.</summary>
    public static T NeedsNothing<T>(this T endpoint)
        where T : IEndpointConventionBuilder => endpoint.RequireAuthorization(Open);

    /// <param name="metadata">The endpoint's.</param>
    /// <returns>The scope that its requests need; null when everyone may call it.</returns>
    public static Scope? ScopeOf(IEnumerable<object> metadata)
    {
        var all = metadata.ToList();
        var policy = all.OfType<IAuthorizeData>().LastOrDefault()?.Policy;
        return policy == Open || all.OfType<IAllowAnonymous>().Any() ? null
            : policy is null ? Scope.Read
            : Scopes.All.Single(scope => scope.Word() == policy);
    }

    private static AuthorizationPolicy Policy(Func<AuthorizationHandlerContext, bool> allows) =>
        new AuthorizationPolicyBuilder(Scheme).RequireAssertion(allows).Build();
}
