using System.Net;
using Temper.Domain.Notifications;

namespace Temper.Store.Notifications;

/// <summary>
/// Where notifications may go. The section is `Notifications` in the settings of the API and of the workers (environment
/// `Notifications__Allowed__0` and so on).
/// </summary>
public sealed record NotificationOptions
{
    private const string SecretPrefix = "whsec_";

    /// <summary>How often a notification is tried before it is abandoned.</summary>
    public const int Tries = 8;

    /// <summary>Each wait is this many times the wait before.</summary>
    private const double Growth = 4;

    /// <summary>
    /// The addresses that a spec may name: each entry allows its own address and every address below its path. None by default.
    /// An entry has https, or http and a loopback address.
    /// </summary>
    public IReadOnlyList<string> Allowed { get; init; } = [];

    /// <summary>
    /// Networks such as `10.1.0.0/16` to which notifications may go although they are not public. None by default.
    /// </summary>
    public IReadOnlyList<string> PrivateNetworks { get; init; } = [];

    /// <summary>`whsec_` and the base64 of 24 to 64 random bytes, with which workers sign. Null only where nothing is allowed.</summary>
    public string? Secret { get; init; }

    /// <summary>
    /// Wait before the second try, at least 1, at most 3600; each further wait is 4 times as long. Default 5: 8 tries within 8 hours.
    /// </summary>
    public double RetrySeconds { get; init; } = 5;

    /// <param name="forSending">Whether this process sends notifications and therefore needs the secret.</param>
    /// <exception cref="InvalidOperationException">A setting is wrong.</exception>
    public NotificationOptions Checked(bool forSending)
    {
        foreach (var entry in Allowed)
            if (NotifyAddress.Read(entry) is not { Query: "" })
                throw new InvalidOperationException(
                    $"Notifications:Allowed has {entry}, which is no https address without a query, nor http and a loopback address."
                );
        foreach (var network in PrivateNetworks)
            if (!IPNetwork.TryParse(network, out _))
                throw new InvalidOperationException($"Notifications:PrivateNetworks has {network}, which is no network like 10.1.0.0/16.");
        if (RetrySeconds is not (>= 1 and <= 3600))
            throw new InvalidOperationException($"Notifications:RetrySeconds must be 1 to 3600, not {RetrySeconds}.");
        if (forSending && (Secret is not null || Allowed.Count > 0))
            _ = SecretBytes();
        return this;
    }

    /// <exception cref="InvalidOperationException">The secret is absent or malformed.</exception>
    public byte[] SecretBytes()
    {
        var bytes = new byte[64];
        return
            Secret?.StartsWith(SecretPrefix, StringComparison.Ordinal) == true
            && Convert.TryFromBase64String(Secret[SecretPrefix.Length..], bytes, out var length)
            && length >= 24
            ? bytes[..length]
            : throw new InvalidOperationException(
                $"Notifications:Secret must be {SecretPrefix} and the base64 of 24 to 64 bytes, such as from: openssl rand -base64 32"
            );
    }

    public bool Allows(string address) => NotifyAddress.Read(address) is { } to && Allowed.Any(entry => Contains(new(entry), to));

    /// <returns>The wait after a failed try, counted from 1; null after the last.</returns>
    public TimeSpan? WaitAfter(int attempt) =>
        attempt < Tries ? TimeSpan.FromSeconds(RetrySeconds * Math.Pow(Growth, Math.Max(attempt, 1) - 1)) : null;

    private static bool Contains(Uri entry, Uri address) =>
        entry.Scheme == address.Scheme
        && entry.IdnHost == address.IdnHost
        && entry.Port == address.Port
        && (address.AbsolutePath == entry.AbsolutePath || address.AbsolutePath.StartsWith(Below(entry), StringComparison.Ordinal));

    private static string Below(Uri entry) => entry.AbsolutePath.EndsWith('/') ? entry.AbsolutePath : $"{entry.AbsolutePath}/";
}
