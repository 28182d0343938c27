using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;

namespace Temper.Api.Sessions;

/// <summary>Who a request comes from.</summary>
/// <param name="Required">Whether the API needs a key. False only on an API that serves this machine alone.</param>
/// <param name="SignedIn">Whether the request carries a key or comes from a browser that signed in with one.</param>
/// <param name="Name">The name that the configuration gives to the key; null when it gives none.</param>
/// <param name="CanOperate">Whether the request may change jobs and studies. All keys have the same rights.</param>
public sealed record SessionResponse(bool Required, bool SignedIn, string? Name, bool CanOperate)
{
    internal static SessionResponse Of(ApiKeys keys, ApiKey? key) =>
        new(keys.Any, key is not null, key?.Name, !keys.Any || key is not null);
}

/// <summary>Endpoints by which a browser exchanges a key for a cookie, so that no page keeps the key.</summary>
internal static class SessionEndpoints
{
    public static void MapSession(this IEndpointRouteBuilder routes)
    {
        var session = routes.MapGroup(ApiKeys.SessionPath).WithTags("Session");

        session.MapGet("/", (HttpContext context, ApiKeys keys) => Answer(context, SessionResponse.Of(keys, keys.KeyOf(context.Request))));

        session
            .MapPost("/", Open)
            .Accepts<SignIn>("application/json", "application/x-www-form-urlencoded")
            .Produces<SessionResponse>()
            .Produces(StatusCodes.Status303SeeOther)
            .ProducesProblem(StatusCodes.Status401Unauthorized)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        session.MapDelete(
            "/",
            (HttpContext context) =>
            {
                SessionCookie.Delete(context);
                return TypedResults.NoContent();
            }
        );
    }

    private static IResult Open(HttpContext context, SignIn.SignInBody body, ApiKeys keys, SignInTries tries, ILogger<SignIn> log)
    {
        var (signIn, refusal) = SignIn.Read(body);
        if (signIn is null)
            return refusal!;
        var address = context.Connection.RemoteIpAddress;
        if (keys.Any && tries.Take(address) is (false, var wait))
            return TooManyTries(context, signIn, wait);
        var key = keys.Find(signIn.Key);
        if (keys.Any && key is null)
        {
            log.LogWarning("{Address} tried to sign in with a wrong key", address);
            return WrongKey(context, signIn);
        }
        if (key is not null)
            SessionCookie.Append(context, key);
        if (signIn.ReturnTo is null)
            return Answer(context, SessionResponse.Of(keys, key));
        context.Response.Headers.Location = signIn.ReturnTo;
        return TypedResults.StatusCode(StatusCodes.Status303SeeOther);
    }

    private static Ok<SessionResponse> Answer(HttpContext context, SessionResponse session)
    {
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(session);
    }

    private static IResult WrongKey(HttpContext context, SignIn signIn)
    {
        const string title = "The key is wrong.";
        return signIn.ReturnTo is { } path
            ? new WrittenPage(http => SignInPage.WriteAsync(http, path, title))
            : ApiKeysMiddleware.NeedsKey(context, title);
    }

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
