namespace Temper.Api.Http;

/// <summary>
/// Sets the headers that tell a browser what an answer may do. They are set when the answer starts, so that answers of every part of
/// the service have them: errors, redirects, files, Hangfire's dashboard and streams.
/// </summary>
/// <remarks>
/// Kestrel itself answers a request that it cannot read. That answer has neither a body nor these headers.
/// </remarks>
internal static class SecurityHeaders
{
    private const string Hsts = "max-age=31536000",
        PagePermissions =
            "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
            + "microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), usb=(), web-share=()";

    /// <summary>The policy of every answer that is no page: a browser that shows it as one runs and loads nothing.</summary>
    private const string NoPage = "default-src 'none'; frame-ancestors 'none'";

    private static readonly object Key = typeof(SecurityHeaders);

    /// <summary>Must come before every middleware that can answer.</summary>
    public static void UseSecurityHeaders(this WebApplication app) =>
        app.Use(next =>
            context =>
            {
                context.Response.OnStarting(SetAsync, context);
                return next(context);
            }
        );

    /// <summary>Says which page the answer is, if it turns out to be HTML.</summary>
    public static void AllowPage(this HttpContext context, PagePolicy policy) => context.Items[Key] = policy;

    private static Task SetAsync(object state)
    {
        var context = (HttpContext)state;
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        // With `no-referrer` a browser would send `Origin: null` with the forms of our own pages.
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        if (context.Response.ContentType?.StartsWith("text/html", StringComparison.OrdinalIgnoreCase) == true)
        {
            headers.ContentSecurityPolicy = context.Items[Key] is PagePolicy page ? page.Text : NoPage;
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            headers["Permissions-Policy"] = PagePermissions;
        }
        else
            headers.ContentSecurityPolicy = NoPage;
        if (context.Request.IsHttps)
            headers.StrictTransportSecurity = Hsts;
        // The client, and no proxy, may store an answer with an ETag but must revalidate it. Another answer may hold a secret.
        if (headers.CacheControl.Count == 0)
            headers.CacheControl = headers.ETag.Count > 0 ? "private, no-cache" : "no-store";
        return Task.CompletedTask;
    }
}

/// <summary>What a page of the service needs.</summary>
/// <param name="Text">The Content-Security-Policy.</param>
internal sealed record PagePolicy(string Text)
{
    private const string Everywhere = "; base-uri 'none'; frame-ancestors 'none'",
        Own = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";

    /// <summary>The dashboard, and the page in its place. Its icon is a data URL.</summary>
    public static PagePolicy Dashboard { get; } = new($"{Own}; form-action 'self'{Everywhere}");

    /// <summary>Hangfire's dashboard, whose icon is a data URL. The policy blocks a few inline styles.</summary>
    public static PagePolicy Hangfire { get; } = new($"{Own}; font-src 'self'; form-action 'self'{Everywhere}");

    /// <summary>Swagger UI, whose icons are data URLs. The policy blocks an inline style.</summary>
    public static PagePolicy Swagger { get; } = new($"{Own}; form-action 'none'{Everywhere}");

    /// <summary>The form that asks for a key. It has no script.</summary>
    public static PagePolicy SignIn { get; } = new($"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{Everywhere}");

    /// <summary>The report of a study: one file with its styles and without scripts.</summary>
    public static PagePolicy Report { get; } = new($"default-src 'none'; style-src 'unsafe-inline'; form-action 'none'{Everywhere}");
}
