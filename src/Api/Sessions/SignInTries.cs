using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;

namespace Temper.Api.Sessions;

/// <summary>
/// Limits the sign-ins of an address to 10 a minute in this process, right or wrong, so that nobody guesses keys by them. The
/// network of an IPv6 address (its first 64 bits) counts as one address.
/// </summary>
internal sealed class SignInTries : IDisposable
{
    public const int PerMinute = 10;

    private readonly PartitionedRateLimiter<IPAddress> limiter = PartitionedRateLimiter.Create<IPAddress, string>(address =>
        RateLimitPartition.GetFixedWindowLimiter(
            NetworkOf(address),
            _ => new() { PermitLimit = PerMinute, Window = TimeSpan.FromMinutes(1) }
        )
    );

    /// <returns>Whether the address may try now, and else after how long it may.</returns>
    public (bool Allowed, TimeSpan Wait) Take(IPAddress? address)
    {
        using var lease = limiter.AttemptAcquire(address ?? IPAddress.None);
        return (lease.IsAcquired, lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.Zero);
    }

    public void Dispose() => limiter.Dispose();

    private static string NetworkOf(IPAddress address) =>
        address.IsIPv4MappedToIPv6 ? address.MapToIPv4().ToString()
        : address.AddressFamily == AddressFamily.InterNetworkV6 ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
        : address.ToString();
}
