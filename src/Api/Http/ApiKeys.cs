using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Temper.Api.Http;

/// <summary>
/// Checks the key of a request: `Authorization: Bearer KEY`, or the cookie of a browser that signed in with a key. The keys come
/// from configuration `Api:Keys` (environment `Api__Keys__0` and so on, or `Api__Keys__NAME` for a key with a name). Without keys
/// the API serves only this machine and refuses to start on any other address.
/// </summary>
internal sealed class ApiKeys
{
    private const int ShortestKey = 16;
    private readonly ApiKey[] keys;

    /// <exception cref="InvalidOperationException">A key is shorter than 16 characters.</exception>
    public ApiKeys(IConfiguration configuration)
    {
        var configured = configuration.GetSection("Api:Keys").GetChildren().ToList();
        if (configured.Any(key => !(key.Value?.Length >= ShortestKey)))
            throw new InvalidOperationException($"A key in Api:Keys is shorter than {ShortestKey} characters.");
        keys = [.. configured.Select((key, i) => new ApiKey(i, NameIn(key.Key), Digest(key.Value!), SessionCookie.LazySecret(key.Value!)))];
    }

    /// <summary>Path of Hangfire's dashboard.</summary>
    public const string DashboardPath = "/hangfire";

    /// <summary>Path at which browsers sign in.</summary>
    public const string SessionPath = "/session";

    public bool Any => keys.Length > 0;

    /// <summary>
    /// Whether the request may pass. Health, documentation and sign-in need no key: they show nothing about jobs.
    /// </summary>
    public bool Allows(HttpRequest request) =>
        !Any
        || request.Path.StartsWithSegments("/health")
        || request.Path.StartsWithSegments("/swagger")
        || request.Path == SessionPath
        || KeyOf(request) is not null;

    /// <summary>Identifies the client for limits: by its key, or by its address when it sends no key.</summary>
    public string ClientOf(HttpContext context) =>
        KeyOf(context.Request)?.Number.ToString(CultureInfo.InvariantCulture) ?? context.Connection.RemoteIpAddress?.ToString() ?? "";

    /// <returns>The configured key that the request carries or signed in with; null when there is none.</returns>
    public ApiKey? KeyOf(HttpRequest request) =>
        request.Headers.Authorization.ToString() is { Length: > 0 } authorization ? KeyIn(authorization)
        // A page of another host of the same site gets nothing by the cookie, although the browser sends it there.
        : request.Cookies[SessionCookie.Name] is { } session && SameOrigin.IsOurs(request)
            ? keys.FirstOrDefault(key => SessionCookie.IsValid(session, key, DateTimeOffset.UtcNow))
        : null;

    /// <returns>When the session ends by which the request may pass; null when it may pass without one.</returns>
    public DateTimeOffset? SessionEndOf(HttpRequest request) =>
        Any && request.Headers.Authorization.Count == 0 && request.Cookies[SessionCookie.Name] is { } session
            ? SessionCookie.EndOf(session)
            : null;

    /// <returns>The configured key that equals the text; null when none does.</returns>
    public ApiKey? Find(string text)
    {
        // Digests have the same length and are compared in constant time, so an answer's timing reveals nothing about a key.
        var presented = Digest(text);
        ApiKey? found = null;
        foreach (var key in keys)
            if (CryptographicOperations.FixedTimeEquals(key.Digest, presented))
                found = key;
        return found;
    }

    private ApiKey? KeyIn(string authorization) =>
        AuthenticationHeaderValue.TryParse(authorization, out var header)
        && header.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase)
        && header.Parameter is { } sent
            ? Find(sent.Trim())
            : null;

    private static string? NameIn(string configurationKey) => configurationKey.All(char.IsAsciiDigit) ? null : configurationKey;

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>A configured key.</summary>
/// <param name="Number">Its place among the keys, from 0.</param>
/// <param name="Name">Its name in the configuration; null when it has only a number there.</param>
/// <param name="Digest">SHA-256 of the key.</param>
/// <param name="SessionSecret">The secret that authenticates the cookies of sessions that were opened with this key.</param>
internal sealed record ApiKey(int Number, string? Name, byte[] Digest, Lazy<byte[]> SessionSecret);

internal static class ApiKeysMiddleware
{
    public static void UseApiKeys(this WebApplication app)
    {
        var keys = app.Services.GetRequiredService<ApiKeys>();
        app.Use(
            (context, next) =>
            {
                if (keys.Allows(context.Request))
                    return next(context);
                return SignInPage.IsWantedBy(context.Request)
                    ? SignInPage.WriteAsync(context, context.Request.Path + context.Request.QueryString)
                    : NeedsKey(context, "A key is needed.").ExecuteAsync(context);
            }
        );
    }

    /// <summary>A 401 that says how to send a key.</summary>
    public static IResult NeedsKey(HttpContext context, string title)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Problems.Of(
            StatusCodes.Status401Unauthorized,
            title,
            $"Send one of the configured keys as `Authorization: Bearer KEY`, or sign in by `POST {ApiKeys.SessionPath}`."
        );
    }
}
