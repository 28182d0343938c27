using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Caching.Memory;
using Temper.Store.Tenants;

namespace Temper.Api.Http;

/// <summary>
/// Answers 404 on every route with an `{id}` unless the row with this id exists and belongs to the caller's tenant, before the
/// endpoint looks at the rest of the request. So another tenant's id is answered exactly as an unknown one. A row never changes its
/// owner, so the owners of the ids that were asked for last are remembered, and a poll reads nothing more. Requests with other ids
/// share statements.
/// </summary>
internal sealed class Ownership : IDisposable
{
    private const int MostRemembered = 100_000;

    /// <summary>By the first part of the path, which is also the name of the table.</summary>
    private static readonly Dictionary<string, Func<Guid, ProblemHttpResult>> NotFound = new()
    {
        ["jobs"] = Problems.NoSuchJob,
        ["studies"] = Problems.NoSuchStudy,
        ["evaluations"] = Problems.NoSuchEvaluation,
    };

    private readonly MemoryCache owners = new(new MemoryCacheOptions { SizeLimit = MostRemembered });

    /// <summary>By table, because a table that is locked must not hold up the others.</summary>
    private readonly Dictionary<string, SharedRounds<Guid, IReadOnlyDictionary<Guid, string>>> rounds;

    public Ownership(TenantStore tenants) =>
        rounds = NotFound.Keys.ToDictionary(
            table => table,
            table => new SharedRounds<Guid, IReadOnlyDictionary<Guid, string>>(ids => tenants.OwnersAsync(table, ids))
        );

    /// <summary>Endpoint filter.</summary>
    public async ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        if (!Guid.TryParse(http.GetRouteValue("id") as string, out var id))
            return await next(context);
        var table = ((RouteEndpoint)http.GetEndpoint()!).RoutePattern.PathSegments[0].Parts[0]
            is RoutePatternLiteralPart { Content: var first }
            ? first
            : throw new InvalidOperationException("The first part of a path with an id must name a table.");
        if (!NotFound.TryGetValue(table, out var notFound))
            return await next(context); // keys belong to the whole service
        var owner = await OwnerAsync(table, id);
        // A deletion that is repeated on a new connection may find the row gone, which is no error.
        return owner == Caller.TenantOf(http) || (owner is null && Reconnection.IsRepetition(http)) ? await next(context) : notFound(id);
    }

    public void Dispose() => owners.Dispose();

    private async ValueTask<string?> OwnerAsync(string table, Guid id)
    {
        if (owners.TryGetValue((table, id), out string? known))
            return known;
        if (!(await rounds[table].AskAsync(id)).TryGetValue(id, out var owner))
            return null;
        owners.Set((table, id), owner, new MemoryCacheEntryOptions { Size = 1 });
        return owner;
    }
}
