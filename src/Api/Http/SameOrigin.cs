namespace Temper.Api.Http;

/// <summary>
/// Refuses requests that change something when a page of another site sends them. A browser names the site in Sec-Fetch-Site or
/// Origin; scripts send neither.
/// </summary>
internal static class SameOrigin
{
    public static void UseSameOrigin(this WebApplication app) =>
        app.Use(
            async (context, next) =>
            {
                if (IsSafe(context.Request.Method) || IsOurs(context.Request))
                {
                    await next(context);
                    return;
                }
                await Problems
                    .Of(
                        StatusCodes.Status403Forbidden,
                        "Another site sent this.",
                        "A web page may send requests that change something only to the site that it is part of."
                    )
                    .ExecuteAsync(context);
            }
        );

    private static bool IsSafe(string method) => HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method);

    /// <summary>Whether no browser, or a page of this host, sent the request, as far as its headers tell.</summary>
    /// <remarks>Browsers send Sec-Fetch-Site over HTTPS and to localhost only, and no Origin with a plain GET.</remarks>
    public static bool IsOurs(HttpRequest request)
    {
        if (request.Headers["Sec-Fetch-Site"].ToString() is { Length: > 0 } site)
            return site is "same-origin" or "none";
        // The scheme is not compared: behind a proxy that ends TLS, the scheme here differs from the browser's.
        return request.Headers.Origin.ToString() is not { Length: > 0 } origin
            || (
                Uri.TryCreate(origin, UriKind.Absolute, out var from)
                && from.Authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase)
            );
    }
}
