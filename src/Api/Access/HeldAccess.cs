using System.Diagnostics;
using Temper.Api.Http;

namespace Temper.Api.Access;

/// <summary>
/// Whether a request that is answered over a long time would still be let in. Ask before each part of the answer: it looks the key up
/// when the last lookup is 15 s old.
/// </summary>
internal sealed class HeldAccess(KeyLookups keys, HttpContext context)
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(15);

    private readonly DateTimeOffset? end = Caller.EndOf(context);
    private long askedAt = Stopwatch.GetTimestamp();

    /// <param name="isDue">Looks the key up now.</param>
    public async ValueTask<bool> HoldsAsync(bool isDue = false)
    {
        if (end <= DateTimeOffset.UtcNow)
            return false;
        if (!isDue && Stopwatch.GetElapsedTime(askedAt) < Every)
            return true;
        askedAt = Stopwatch.GetTimestamp();
        return await keys.StillHoldsAsync(context);
    }
}
