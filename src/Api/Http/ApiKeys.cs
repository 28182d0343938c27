using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Temper.Api.Http;

/// <summary>
/// Checks the key of a request: `Authorization: Bearer KEY`. The keys come from configuration `Api:Keys` (environment
/// `Api__Keys__0` and so on). Hangfire's dashboard, which users open in a browser, also accepts the key as the password of HTTP
/// Basic authentication. Without keys the API serves only this machine and refuses to start on any other address.
/// </summary>
internal sealed class ApiKeys
{
    private const int ShortestKey = 16;
    private readonly byte[][] digests;

    /// <exception cref="InvalidOperationException">A key is shorter than 16 characters.</exception>
    public ApiKeys(IConfiguration configuration)
    {
        var keys = configuration.GetSection("Api:Keys").Get<string[]>() ?? [];
        if (keys.Any(key => key.Length < ShortestKey))
            throw new InvalidOperationException($"A key in Api:Keys is shorter than {ShortestKey} characters.");
        digests = [.. keys.Select(Digest)];
    }

    /// <summary>Path of Hangfire's dashboard.</summary>
    public const string DashboardPath = "/hangfire";

    public bool Any => digests.Length > 0;

    /// <summary>Whether the request may pass. Health and documentation need no key: they show nothing about jobs.</summary>
    public bool Allows(HttpRequest request) =>
        !Any || request.Path.StartsWithSegments("/health") || request.Path.StartsWithSegments("/swagger") || KeyOf(request) is not null;

    /// <summary>Identifies the client for limits: by its key, or by its address when it sends no key.</summary>
    public string ClientOf(HttpContext context) =>
        KeyOf(context.Request)?.ToString(CultureInfo.InvariantCulture) ?? context.Connection.RemoteIpAddress?.ToString() ?? "";

    /// <summary>Whether a browser should ask its user for a key on this path.</summary>
    public static bool IsForBrowsers(PathString path) => path.StartsWithSegments(DashboardPath);

    /// <returns>Index of the configured key that the request carries; null when it carries none.</returns>
    private int? KeyOf(HttpRequest request)
    {
        if (
            !AuthenticationHeaderValue.TryParse(request.Headers.Authorization.ToString(), out var header)
            || header.Parameter is not { } sent
        )
            return null;
        if (header.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase))
            return IndexOf(sent.Trim());
        return header.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase) && IsForBrowsers(request.Path)
            ? IndexOf(PasswordIn(sent))
            : null;
    }

    /// <summary>The password of HTTP Basic credentials; empty when they are malformed. The user name is ignored.</summary>
    private static string PasswordIn(string base64)
    {
        var pair = System.Buffers.Text.Base64.IsValid(base64) ? Encoding.UTF8.GetString(Convert.FromBase64String(base64)) : "";
        return pair.IndexOf(':') is >= 0 and var colon ? pair[(colon + 1)..] : "";
    }

    private int? IndexOf(string key)
    {
        // Digests have the same length and are compared in constant time, so an answer's timing reveals nothing about a key.
        var presented = Digest(key);
        int? found = null;
        for (var i = 0; i < digests.Length; i++)
            if (CryptographicOperations.FixedTimeEquals(digests[i], presented))
                found = i;
        return found;
    }

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

internal static class ApiKeysMiddleware
{
    public static void UseApiKeys(this WebApplication app)
    {
        var keys = app.Services.GetRequiredService<ApiKeys>();
        app.Use(
            async (context, next) =>
            {
                if (keys.Allows(context.Request))
                {
                    await next(context);
                    return;
                }
                context.Response.Headers.WWWAuthenticate = ApiKeys.IsForBrowsers(context.Request.Path)
                    ? "Basic realm=\"Temper, with a key as the password\""
                    : "Bearer";
                await Problems
                    .Of(
                        StatusCodes.Status401Unauthorized,
                        "A key is needed.",
                        "Send one of the configured keys as `Authorization: Bearer KEY`."
                    )
                    .ExecuteAsync(context);
            }
        );
    }
}
