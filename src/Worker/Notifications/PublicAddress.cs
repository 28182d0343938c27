using System.Net;
using System.Net.Sockets;

namespace Temper.Worker.Notifications;

/// <summary>
/// Tells the addresses of the public internet from private, loopback, link-local, multicast, reserved and documentation addresses
/// (IANA's registries of special-purpose addresses).
/// </summary>
internal static class PublicAddress
{
    private static readonly IPNetwork[] NotPublic =
    [
        .. new[]
        {
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16", // 6to4 contains an IPv4 address
            "3fff::/20",
        }.Select(network => IPNetwork.Parse(network)),
    ];

    /// <summary>The only unicast addresses of IPv6 that IANA has given out.</summary>
    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    public static bool Is(IPAddress address) =>
        Plain(address) is var plain
        && (plain.AddressFamily == AddressFamily.InterNetwork || GlobalUnicast.Contains(plain))
        && !NotPublic.Any(network => network.Contains(plain));

    /// <summary>The address that a connection reaches: `::ffff:10.0.0.1` is 10.0.0.1.</summary>
    public static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
