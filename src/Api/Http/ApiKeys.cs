using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace Temper.Api.Http;

/// <summary>
/// Access by key: `Authorization: Bearer KEY`, the keys from configuration `Api:Keys` (in the environment `Api__Keys__0`
/// and so on). Without keys the API serves this machine only and refuses to start on any other address.
/// </summary>
internal sealed class ApiKeys
{
    private const int ShortestKey = 16;
    private readonly byte[][] digests;

    /// <exception cref="InvalidOperationException">A key is too short to be a secret.</exception>
    public ApiKeys(IConfiguration configuration)
    {
        var keys = configuration.GetSection("Api:Keys").Get<string[]>() ?? [];
        if (keys.Any(key => key.Length < ShortestKey)) throw new InvalidOperationException($"A key in Api:Keys is shorter than {ShortestKey} characters.");
        digests = [.. keys.Select(Digest)];
    }

    public bool Any => digests.Length > 0;

    /// <summary>Health and documentation tell nothing of anyone's jobs.</summary>
    public bool Allows(HttpRequest request) =>
        !Any || request.Path.StartsWithSegments("/health") || request.Path.StartsWithSegments("/swagger") || request.Path == "/" || Knows(request.Headers.Authorization);

    private bool Knows(StringValues authorization)
    {
        const string scheme = "Bearer ";
        if (authorization.ToString() is not { } value || !value.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)) return false;
        // Digests have one length and are compared in constant time: an answer's timing tells nothing of a key.
        var presented = Digest(value[scheme.Length..].Trim());
        return digests.Aggregate(false, (known, digest) => known | CryptographicOperations.FixedTimeEquals(digest, presented));
    }

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

internal static class ApiKeysMiddleware
{
    public static void UseApiKeys(this WebApplication app)
    {
        var keys = app.Services.GetRequiredService<ApiKeys>();
        app.Use(async (context, next) =>
        {
            if (keys.Allows(context.Request))
            {
                await next(context);
                return;
            }
            context.Response.Headers.WWWAuthenticate = "Bearer";
            await Problems.Of(StatusCodes.Status401Unauthorized, "A key is needed.", "Send one of the configured keys as `Authorization: Bearer KEY`.").ExecuteAsync(context);
        });
    }
}
