using Temper.Store.Keys;

namespace Temper.Api.Access;

/// <summary>
/// The cookie of a browser that signed in: a random secret, whose digest is in the table of sessions. Over HTTPS its name has the
/// prefix `__Host-`, so no other host of the site can set it.
/// </summary>
internal static class SessionCookie
{
    /// <summary>The name over plain HTTP, as on this machine.</summary>
    public const string PlainName = "temper_session";

    /// <summary>A session ends this long after the sign-in, however much it is used.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    /// <returns>The secret in the request's cookie; null when it has no such cookie.</returns>
    public static string? In(HttpRequest request) =>
        request.Cookies[NameFor(request)] is { } secret && KeyText.IsSecret(secret) ? secret : null;

    public static void Append(HttpContext context, string secret)
    {
        var options = Options(context.Request);
        options.MaxAge = Lifetime;
        context.Response.Cookies.Append(NameFor(context.Request), secret, options);
    }

    public static void Delete(HttpContext context) => context.Response.Cookies.Delete(NameFor(context.Request), Options(context.Request));

    private static string NameFor(HttpRequest request) => request.IsHttps ? $"__Host-{PlainName}" : PlainName;

    private static CookieOptions Options(HttpRequest request) =>
        new()
        {
            HttpOnly = true,
            SameSite = SameSiteMode.Strict,
            Secure = request.IsHttps,
            Path = "/",
            IsEssential = true,
        };
}
