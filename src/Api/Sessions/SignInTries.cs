using System.Threading.RateLimiting;
using Temper.Api.Http;

namespace Temper.Api.Sessions;

/// <summary>Limits the sign-ins of a network to 10 a minute in this process, right or wrong, so that nobody guesses keys by them.</summary>
internal sealed class SignInTries : IDisposable
{
    public const int PerMinute = 10;

    private readonly PartitionedRateLimiter<HttpContext> limiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
        RateLimitPartition.GetFixedWindowLimiter(
            Caller.NetworkOf(context),
            _ => new() { PermitLimit = PerMinute, Window = TimeSpan.FromMinutes(1) }
        )
    );

    /// <returns>Whether the client may try now, and else after how long it may.</returns>
    public (bool Allowed, TimeSpan Wait) Take(HttpContext context)
    {
        using var lease = limiter.AttemptAcquire(context);
        return (lease.IsAcquired, lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.Zero);
    }

    public void Dispose() => limiter.Dispose();
}
