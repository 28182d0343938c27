using System.Globalization;

namespace Temper.Api.Http;

/// <summary>The header `Prefer` (RFC 7240), of which the API knows `wait`. As the RFC asks, it ignores what it does not know.</summary>
internal static class Preference
{
    /// <summary>The longest wait in seconds. Proxies often end a request that is silent for 60 s.</summary>
    public const int LongestWaitSeconds = 30;

    /// <param name="prefer">The header; null without one.</param>
    /// <returns>Seconds that the answer may wait, from 1 to <see cref="LongestWaitSeconds"/>; null when it may not.</returns>
    public static int? WaitSeconds(string? prefer)
    {
        foreach (var preference in prefer?.Split(',') ?? [])
            if (
                preference.Split(';')[0].Split('=', 2, StringSplitOptions.TrimEntries) is [var name, var value]
                && name.Equals("wait", StringComparison.OrdinalIgnoreCase)
            )
                return int.TryParse(value.Trim('"'), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds > 0
                    ? Math.Min(seconds, LongestWaitSeconds)
                    : null;
        return null;
    }
}
