using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Temper.Api.Http;

/// <summary>
/// Access by key: `Authorization: Bearer KEY`, the keys from configuration `Api:Keys` (in the environment `Api__Keys__0`
/// and so on). For Hangfire's dashboard, which is opened in a browser, the key may also be the password of HTTP Basic
/// authentication. Without keys the API serves this machine only and refuses to start on any other address.
/// </summary>
internal sealed class ApiKeys
{
    private const int ShortestKey = 16;
    private readonly byte[][] digests;

    /// <exception cref="InvalidOperationException">A key is too short to be a secret.</exception>
    public ApiKeys(IConfiguration configuration)
    {
        var keys = configuration.GetSection("Api:Keys").Get<string[]>() ?? [];
        if (keys.Any(key => key.Length < ShortestKey))
            throw new InvalidOperationException($"A key in Api:Keys is shorter than {ShortestKey} characters.");
        digests = [.. keys.Select(Digest)];
    }

    /// <summary>Where Hangfire's dashboard is.</summary>
    public const string DashboardPath = "/hangfire";

    public bool Any => digests.Length > 0;

    /// <summary>Health and documentation tell nothing of anyone's jobs.</summary>
    public bool Allows(HttpRequest request) =>
        !Any
        || request.Path.StartsWithSegments("/health")
        || request.Path.StartsWithSegments("/swagger")
        || request.Path == "/"
        || KeyOf(request) is not null;

    /// <summary>Who is limited as one: a key, or without keys an address.</summary>
    public string ClientOf(HttpContext context) =>
        KeyOf(context.Request)?.ToString(CultureInfo.InvariantCulture) ?? context.Connection.RemoteIpAddress?.ToString() ?? "";

    /// <summary>Whether a browser is to ask its user for a key.</summary>
    public static bool IsForBrowsers(PathString path) => path.StartsWithSegments(DashboardPath);

    /// <returns>Which of the configured keys the request has; null where it has none.</returns>
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

    /// <summary>The user name does not matter.</summary>
    private static string PasswordIn(string base64)
    {
        var pair = System.Buffers.Text.Base64.IsValid(base64) ? Encoding.UTF8.GetString(Convert.FromBase64String(base64)) : "";
        return pair.IndexOf(':') is >= 0 and var colon ? pair[(colon + 1)..] : "";
    }

    private int? IndexOf(string key)
    {
        // Digests have one length and are compared in constant time: an answer's timing tells nothing of a key.
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
