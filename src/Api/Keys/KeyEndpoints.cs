using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;
using Temper.Domain.Jobs;
using Temper.Store.Keys;
using Temper.Store.Rows;

namespace Temper.Api.Keys;

/// <summary>A key to the API.</summary>
/// <param name="Prefix">The first characters of the key.</param>
/// <param name="Scopes">What it allows.</param>
/// <param name="CreatedBy">Name of the key that made it, or `command line`.</param>
/// <param name="ExpiresAt">Null: it does not expire.</param>
/// <param name="RevokedAt">Null: it is not revoked.</param>
/// <param name="LastUsedAt">Up to a minute old; null: never used.</param>
public sealed record KeyResponse(
    Guid Id,
    string Name,
    string Tenant,
    string Prefix,
    IReadOnlyList<Scope> Scopes,
    DateTimeOffset CreatedAt,
    string CreatedBy,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset? RevokedAt,
    DateTimeOffset? LastUsedAt
)
{
    internal static KeyResponse Of(KeyRow row) =>
        new(
            row.Id,
            row.Name,
            row.Tenant,
            row.Prefix,
            [.. row.Scopes.Select(word => Enum.Parse<Scope>(word, ignoreCase: true))],
            row.CreatedAt,
            row.CreatedBy,
            row.ExpiresAt,
            row.RevokedAt,
            row.LastUsedAt
        );
}

/// <summary>The keys, newest first: up to 1,000. Where there are more, revoked ones are left out first, then the oldest.</summary>
public sealed record KeysResponse(IReadOnlyList<KeyResponse> Items);

/// <summary>A key that was just made.</summary>
/// <param name="Secret">The key itself. It is not stored, so this is the only answer that has it.</param>
/// <param name="Key">What is stored of it.</param>
public sealed record NewKeyResponse(string Secret, KeyResponse Key);

/// <summary>Endpoints that make, list and revoke keys.</summary>
internal static class KeyEndpoints
{
    private const int MostListed = 1000;

    public static void MapKeys(this IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/keys").WithTags("Keys").Needs(Scope.Admin).ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        keys.MapPost("/", CreateAsync)
            .Accepts<KeySpec>("application/json")
            .Produces<NewKeyResponse>(StatusCodes.Status201Created)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType);

        keys.MapGet(
            "/",
            async (KeyStore store, CancellationToken cancellation) =>
                new KeysResponse([.. (await store.ListAsync(MostListed, cancellation)).Select(KeyResponse.Of)])
        );

        keys.MapPost("/{id:guid}/revoke", RevokeAsync).ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Created<NewKeyResponse>, ProblemHttpResult>> CreateAsync(
        HttpContext context,
        PostedBody body,
        KeyStore store,
        CancellationToken cancellation
    )
    {
        if (body.Refusal is { } refusal)
            return refusal;
        var errors = new SpecErrors();
        if (KeySpecReader.Read(body.Bytes, errors) is not { } spec)
            return Problems.Invalid("The key is wrong.", errors.ByField());
        Reconnection.BeginUnrepeatableWrite(context); // the first try may have stored a key that nobody has seen
        if (await store.CreateAsync(spec, Caller.NameOf(context), cancellation) is not { } made)
            return Problems.Of(
                StatusCodes.Status409Conflict,
                "The name is taken.",
                $"Tenant {spec.Tenant} has a key {spec.Name} that is not revoked. Revoke it first, or choose another name."
            );
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Created($"/keys/{made.Row.Id}", new NewKeyResponse(made.Text, KeyResponse.Of(made.Row)));
    }

    private static async Task<Results<Ok<KeyResponse>, ProblemHttpResult>> RevokeAsync(
        KeyStore store,
        Guid id,
        CancellationToken cancellation
    ) =>
        await store.RevokeAsync(id, cancellation) is { } row
            ? TypedResults.Ok(KeyResponse.Of(row))
            : Problems.Of(StatusCodes.Status404NotFound, "No such key.", $"There is no key {id}.");
}

/// <summary>Reads a posted key spec.</summary>
internal static class KeySpecReader
{
    private static readonly SpecReader<KeySpec> Reader = new("a key", Allowed);

    /// <returns>Null when there are errors.</returns>
    public static KeySpec? Read(ReadOnlyMemory<byte> bytes, SpecErrors errors)
    {
        using var document = errors.Parse(bytes);
        if (document is null || Reader.Read(document.RootElement, errors, "", out _) is not { } spec)
            return null;
        if (!errors.Any)
            Check(spec, errors);
        return errors.Any ? null : spec;
    }

    /// <summary>Adds an error for each field whose value is not allowed.</summary>
    public static void Check(KeySpec spec, SpecErrors errors)
    {
        Require("name", JobSpecRule.IsName(spec.Name));
        Require("tenant", KeySpec.IsTenant(spec.Tenant));
        Require("scopes", spec.Scopes.Count > 0);
        Require("expires", spec.Expires is null || KeySpec.LifetimeOf(spec.Expires) is not null);

        void Require(string field, bool isAllowed)
        {
            if (!isAllowed)
                errors.Add(field, $"must be {Allowed(field)}");
        }
    }

    public static string Allowed(string field) =>
        field switch
        {
            "name" => KeySpec.NameAllowed,
            "tenant" => KeySpec.TenantAllowed,
            "scopes" => $"a list of one or more of {string.Join(", ", Scopes.All.Select(Scopes.Word))}",
            _ => KeySpec.ExpiresAllowed,
        };
}
