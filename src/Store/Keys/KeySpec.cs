using System.Globalization;

namespace Temper.Store.Keys;

/// <summary>A key to be made.</summary>
public sealed record KeySpec
{
    private const int LongestTenant = 64,
        MostDays = 36_500;

    public const string TenantAllowed = "1 to 64 characters of a-z, 0-9, `-`, `_` and `.`, the first a letter or digit",
        NameAllowed = "1 to 200 characters on one line",
        ExpiresAllowed = "a number of days or hours such as 90d or 12h, at most 36500d, or null for a key that does not expire";

    /// <summary>Unique among the tenant's keys that are not revoked.</summary>
    public required string Name { get; init; }

    /// <summary>The tenant whose jobs, studies, data sets and evaluations the key opens.</summary>
    public required string Tenant { get; init; }

    public required IReadOnlyList<Scope> Scopes { get; init; }

    /// <summary>How long the key is valid; null: until it is revoked.</summary>
    public string? Expires { get; init; }

    public static bool IsTenant(string text) =>
        text.Length is >= 1 and <= LongestTenant
        && char.IsAsciiLetterOrDigit(text[0])
        && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.');

    /// <returns>Null when the text is not as <see cref="ExpiresAllowed"/> says.</returns>
    public static TimeSpan? LifetimeOf(string text)
    {
        if (text.Length < 2 || !int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count < 1)
            return null;
        var days = text[^1] switch
        {
            'd' => count,
            'h' => count / 24.0,
            _ => double.PositiveInfinity,
        };
        return days <= MostDays ? TimeSpan.FromDays(days) : null;
    }
}

/// <summary>A key that was just made.</summary>
/// <param name="Text">The key itself, which cannot be read again.</param>
public sealed record NewKey(string Text, Rows.KeyRow Row);
