using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Access;
using Temper.Api.Http;
using Temper.Store.Keys;

namespace Temper.Api.Sessions;

/// <summary>Who a request comes from.</summary>
/// <param name="Required">Whether the API needs a key. False only on an API without keys that serves this machine alone.</param>
/// <param name="SignedIn">Whether the request carries a key or token, or comes from a browser that signed in with a key.</param>
/// <param name="Name">Name of the key, or subject of the token; null without one.</param>
/// <param name="Tenant">The tenant that the request sees; null when it may see none.</param>
/// <param name="Scopes">What the request may do, with the scopes that others include.</param>
public sealed record SessionResponse(bool Required, bool SignedIn, string? Name, string? Tenant, IReadOnlyList<Scope> Scopes)
{
    internal static SessionResponse Of(HttpContext context) =>
        Caller.KindOf(context) switch
        {
            null => new(true, false, null, null, []),
            CallerKind.Local => new(false, false, null, Caller.TenantOf(context), Store.Keys.Scopes.All),
            _ => new(
                true,
                true,
                Caller.NameOf(context),
                Caller.TenantOf(context),
                [.. Store.Keys.Scopes.All.Where(scope => Caller.Has(context.User, scope))]
            ),
        };
}

/// <summary>Endpoints by which a browser exchanges a key for a cookie, so that no page keeps the key.</summary>
internal static class SessionEndpoints
{
    public static void MapSession(this IEndpointRouteBuilder routes)
    {
        var session = routes.MapGroup(Routes.Session).WithTags("Session").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        session.MapGet("/", (HttpContext context) => Answer(context)).NeedsNothing().ProducesProblem(StatusCodes.Status429TooManyRequests);

        session
            .MapPost("/", OpenAsync)
            .AllowAnonymous()
            .Accepts<SignIn>("application/json", "application/x-www-form-urlencoded")
            .Produces<SessionResponse>()
            .Produces(StatusCodes.Status303SeeOther)
            .ProducesProblem(StatusCodes.Status401Unauthorized)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        session.MapDelete("/", CloseAsync).AllowAnonymous();
    }

    private static async Task<IResult> OpenAsync(
        HttpContext context,
        SignIn.SignInBody body,
        KeyLookups keys,
        KeyStore store,
        SignInTries tries,
        AccessResults access,
        CancellationToken cancellation
    )
    {
        var (signIn, refusal) = SignIn.Read(body);
        if (signIn is null)
            return refusal!;
        var credential = Credential.OfKey(signIn.Key);
        var lookup = await keys.FindAsync(credential);
        if (!lookup.IsNeeded)
            context.User = Caller.Everyone;
        else
        {
            if (tries.Take(context) is (false, var wait))
                return TooManyTries(context, signIn, wait);
            if (lookup.Refusal is { } title)
            {
                await access.RecordAsync(context, new(title, lookup.Key, credential.Prefix));
                return WrongKey(context, signIn, title);
            }
            var secret = KeyText.NewSecret(); // chosen by this try: a repetition opens another session
            await store.OpenSessionAsync(KeyText.DigestOf(secret), lookup.Key!.Id, SessionCookie.Lifetime, cancellation);
            context.User = lookup.Caller;
            SessionCookie.Append(context, secret);
        }
        if (signIn.ReturnTo is null)
            return Answer(context);
        context.Response.Headers.Location = signIn.ReturnTo;
        return TypedResults.StatusCode(StatusCodes.Status303SeeOther);
    }

    private static async Task<NoContent> CloseAsync(HttpContext context, KeyLookups keys, KeyStore store, CancellationToken cancellation)
    {
        if (SessionCookie.In(context.Request) is { } secret)
        {
            if (await keys.FindAsync(new(secret, IsSession: true)) is { IsValid: true } lookup)
                context.User = lookup.Caller; // for the audit
            await store.EndSessionAsync(KeyText.DigestOf(secret), cancellation);
        }
        SessionCookie.Delete(context);
        return TypedResults.NoContent();
    }

    private static Ok<SessionResponse> Answer(HttpContext context)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(SessionResponse.Of(context));
    }

    private static IResult WrongKey(HttpContext context, SignIn signIn, string title) =>
        signIn.ReturnTo is { } path
            ? new WrittenPage(http => SignInPage.WriteAsync(http, path, title))
            : AccessResults.NeedsKey(context, title);

    private static IResult TooManyTries(HttpContext context, SignIn signIn, TimeSpan wait)
    {
        const int status = StatusCodes.Status429TooManyRequests;
        const string title = "Too many sign-ins.";
        var detail = $"An address may try {SignInTries.PerMinute} times a minute. Try again later.";
        context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        return signIn.ReturnTo is { } path
            ? new WrittenPage(http => SignInPage.WriteAsync(http, path, $"{title} {detail}", status))
            : Problems.Of(status, title, detail);
    }

    private sealed class WrittenPage(Func<HttpContext, Task> write) : IResult
    {
        public Task ExecuteAsync(HttpContext context) => write(context);
    }
}
