using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;

namespace Temper.Api.Http;

/// <summary>
/// The cookie of a browser that signed in: `EXPIRES.MAC`, the Unix time at which the session ends and its HMAC-SHA256 under a
/// secret that is derived from the key. Every API process that has the key accepts it, and none does once the key is gone from the
/// configuration. Nothing is stored. See docs/decisions/0040-browser-session.md.
/// </summary>
internal static class SessionCookie
{
    public const string Name = "temper_session";

    /// <summary>A session ends this long after the sign-in, however much it is used.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    /// <summary>
    /// Makes each guess of a key from a stolen cookie cost about 0.1 s of a core. A process derives each secret once.
    /// </summary>
    private const int Iterations = 200_000;

    public static Lazy<byte[]> LazySecret(string key) =>
        new(() => Rfc2898DeriveBytes.Pbkdf2(key, "temper session"u8, Iterations, HashAlgorithmName.SHA256, HMACSHA256.HashSizeInBytes));

    public static void Append(HttpContext context, ApiKey key)
    {
        var ends = DateTimeOffset.UtcNow + Lifetime;
        var expires = ends.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var options = Options(context.Request);
        options.MaxAge = Lifetime;
        context.Response.Cookies.Append(Name, $"{expires}.{WebEncoders.Base64UrlEncode(Mac(expires, key))}", options);
    }

    public static void Delete(HttpContext context) => context.Response.Cookies.Delete(Name, Options(context.Request));

    public static bool IsValid(string cookie, ApiKey key, DateTimeOffset now) =>
        cookie.Split('.') is [var expires, var mac]
        && CryptographicOperations.FixedTimeEquals(
            Encoding.UTF8.GetBytes(mac),
            Encoding.UTF8.GetBytes(WebEncoders.Base64UrlEncode(Mac(expires, key)))
        )
        && now < EndOf(cookie);

    /// <returns>When the session ends that the cookie names; null when it names none. It does not check the cookie.</returns>
    public static DateTimeOffset? EndOf(string cookie) =>
        long.TryParse(cookie.Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
        && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;

    private static byte[] Mac(string expires, ApiKey key) => HMACSHA256.HashData(key.SessionSecret.Value, Encoding.UTF8.GetBytes(expires));

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
