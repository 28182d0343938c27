using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Http;
using Temper.Store.Keys;
using Temper.Store.Tenants;

namespace Temper.Api.Tenants;

/// <summary>The tenants that the caller may see.</summary>
public sealed record TenantsResponse(IReadOnlyList<TenantState> Items);

/// <summary>Endpoints that show what a tenant uses and set what it may use.</summary>
internal static class TenantEndpoints
{
    private const string Allowed = "null, which is no limit, or a whole number from 0";

    private static readonly SpecReader<TenantQuotas> Reader = new("the quotas", _ => Allowed);

    public static void MapTenants(this IEndpointRouteBuilder routes)
    {
        var tenants = routes.MapGroup("/tenants").WithTags("Tenants").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        tenants.MapGet("/", ListAsync);
        tenants.MapGet("/{name}", FindAsync).ProducesProblem(StatusCodes.Status404NotFound);

        tenants
            .MapPut("/{name}", SetAsync)
            .Needs(Scope.Admin)
            .Accepts<TenantQuotas>("application/json")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType);
    }

    private static async Task<TenantsResponse> ListAsync(HttpContext context, TenantStore tenants, CancellationToken cancellation)
    {
        var own = Caller.TenantOf(context);
        return new(
            Caller.Has(context.User, Scope.Admin)
                ? await tenants.ListAsync(own, cancellation)
                : [await tenants.FindAsync(own, cancellation)]
        );
    }

    private static async Task<Results<Ok<TenantState>, ProblemHttpResult>> FindAsync(
        HttpContext context,
        TenantStore tenants,
        [FromRoute] string name,
        CancellationToken cancellation
    ) => IsVisible(context, name) ? TypedResults.Ok(await tenants.FindAsync(name, cancellation)) : NoSuchTenant(name);

    private static async Task<Results<Ok<TenantState>, ProblemHttpResult>> SetAsync(
        HttpContext context,
        PostedBody body,
        TenantStore tenants,
        [FromRoute] string name,
        CancellationToken cancellation
    )
    {
        if (!IsVisible(context, name))
            return NoSuchTenant(name);
        if (body.Refusal is { } refusal)
            return refusal;
        var errors = new SpecErrors();
        using var document = errors.Parse(body.Bytes);
        var quotas = document is null ? null : Reader.Read(document.RootElement, errors, "", out _);
        if (quotas is not null)
            foreach (
                var (field, value) in new[]
                {
                    ("maxQueued", quotas.MaxQueued),
                    ("maxRunning", quotas.MaxRunning),
                    ("maxDeviceSecondsPerMonth", quotas.MaxDeviceSecondsPerMonth),
                    ("maxUploadedBytes", quotas.MaxUploadedBytes),
                }
            )
                if (value < 0 && !errors.Has(field))
                    errors.Add(field, $"must be {Allowed}; got {value}");
        if (errors.Any)
            return Problems.Invalid("The quotas are wrong.", errors.ByField());
        await tenants.SetAsync(name, quotas!, cancellation);
        return TypedResults.Ok(await tenants.FindAsync(name, cancellation));
    }

    private static bool IsVisible(HttpContext context, string name) =>
        name == Caller.TenantOf(context) || (Caller.Has(context.User, Scope.Admin) && KeySpec.IsTenant(name));

    private static ProblemHttpResult NoSuchTenant(string name) =>
        Problems.Of(StatusCodes.Status404NotFound, "No such tenant.", $"There is no tenant {name}.");
}
