using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Temper.Store.Keys;

/// <summary>The text of a key: `tmp_` and 256 random bits in base64url.</summary>
public static class KeyText
{
    private const string Start = "tmp_";

    private const int SecretLength = 43,
        ShownOfSecret = 8;

    public static string New() => Start + NewSecret();

    /// <returns>256 random bits in base64url, 43 characters.</returns>
    public static string NewSecret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>Whether the text has the form of a key.</summary>
    public static bool IsKey(string text) => text.StartsWith(Start, StringComparison.Ordinal) && IsSecret(text[Start.Length..]);

    /// <summary>Whether the text has the form of a random secret.</summary>
    public static bool IsSecret(string text) =>
        text.Length == SecretLength && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    /// <summary>The part of a key that may be shown and logged.</summary>
    public static string PrefixOf(string key) => key[..(Start.Length + ShownOfSecret)];

    public static byte[] DigestOf(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
