using System.Text.Encodings.Web;
using Temper.Api.Http;

namespace Temper.Api.Access;

/// <summary>The page that asks a browser for a key, in place of a page that needs one. It has no script.</summary>
internal static class SignInPage
{
    /// <summary>Whether a browser is about to show the answer as a page of Hangfire's dashboard.</summary>
    public static bool IsWantedBy(HttpRequest request) =>
        HttpMethods.IsGet(request.Method)
        && request.Path.StartsWithSegments(Routes.Dashboard)
        && request.GetTypedHeaders().Accept.Any(format => format.MediaType.Equals("text/html", StringComparison.OrdinalIgnoreCase));

    /// <summary>Answers with the page.</summary>
    /// <param name="returnTo">The path that the browser opens after the sign-in.</param>
    /// <param name="message">What was wrong with the last try; null at the first.</param>
    public static Task WriteAsync(
        HttpContext context,
        string returnTo,
        string? message = null,
        int status = StatusCodes.Status401Unauthorized
    )
    {
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = "text/html; charset=utf-8";
        if (status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        response.Headers.CacheControl = "no-store";
        context.AllowPage(PagePolicy.SignIn);
        return response.WriteAsync(
            $$"""
            <!doctype html>
            <html lang="en">
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width">
            <title>Temper: sign in</title>
            <style>body { font: 1rem system-ui; margin: 4rem auto; max-width: 24rem; padding: 0 1rem }</style>
            <h1>Sign in to Temper</h1>
            {{(message is null ? "" : $"<p role=\"alert\">{HtmlEncoder.Default.Encode(message)}</p>")}}
            <form method="post" action="{{Routes.Session}}">
              <input type="hidden" name="returnTo" value="{{HtmlEncoder.Default.Encode(returnTo)}}">
              <label>Key <input name="key" type="password" autocomplete="current-password" required autofocus></label>
              <button>Sign in</button>
            </form>
            </html>
            """,
            context.RequestAborted
        );
    }
}
