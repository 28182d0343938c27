using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Temper.Store.Notifications;

namespace Temper.Worker.Notifications;

/// <summary>
/// Posts a notification once, signed as Standard Webhooks does (https://www.standardwebhooks.com). It follows no redirect, uses no
/// proxy, reads no body of an answer, and connects to public addresses only, and to the private networks of the settings.
/// </summary>
internal sealed class Posting : IDisposable
{
    /// <summary>The longest time from the look-up of the host to the status of the answer.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(10);

    private readonly NotificationOptions options;
    private readonly IPNetwork[] privateNetworks;
    private readonly HttpClient http;

    /// <summary>
    /// Addresses without their query that did not answer in time, with the time until which no other notification is sent to them.
    /// </summary>
    private readonly ConcurrentDictionary<string, long> silent = new();

    public Posting(NotificationOptions options)
    {
        this.options = options;
        privateNetworks = [.. options.PrivateNetworks.Select(network => IPNetwork.Parse(network))];
        http = new(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseProxy = false,
                UseCookies = false,
                ConnectCallback = ConnectAsync,
                PooledConnectionLifetime = TimeSpan.Zero, // each try looks up and checks the address again
                MaxResponseHeadersLength = 16, // KiB
                MaxResponseDrainSize = 0,
                ActivityHeadersPropagator = null,
            }
        )
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>The longest time of a try of this instance.</summary>
    public TimeSpan Limit { get; init; } = Longest;

    /// <summary>
    /// The time after a try without an answer in which other tries to the same address fail at once. Without it, the notifications to
    /// one silent receiver would take all threads, and those to other receivers would wait behind them. It is not for the whole host,
    /// because one user could then silence a host that others use.
    /// </summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(1);

    /// <returns>How the try ended. It does not throw for anything that the receiver or the network does.</returns>
    public async Task<NotificationOutcome> PostAsync(NotificationAttempt attempt)
    {
        var start = Stopwatch.GetTimestamp();
        var (status, error) = await TryAsync(attempt);
        return new(status, error, Stopwatch.GetElapsedTime(start));
    }

    public void Dispose() => http.Dispose();

    private async Task<(int? Status, string? Error)> TryAsync(NotificationAttempt attempt)
    {
        if (!options.Allows(attempt.Address))
            return (null, "The settings of the worker do not allow the address.");
        var receiver = new Uri(attempt.Address).GetLeftPart(UriPartial.Path);
        if (IsSilent(receiver))
            return (null, "It was not sent, because the receiver has just not answered another one.");
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            using var request = Request(attempt);
            using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            silent.TryRemove(receiver, out _);
            var status = (int)answer.StatusCode;
            return status switch
            {
                >= 200 and < 300 => (status, null),
                >= 300 and < 400 => (status, $"The receiver answered {status}. Redirects are not followed."),
                _ => (status, $"The receiver answered {status}."),
            };
        }
        catch (OperationCanceledException)
        {
            NoteSilence(receiver);
            return (null, $"The receiver did not answer within {Limit.TotalSeconds} s.");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            silent.TryRemove(receiver, out _); // it refused at once
            return (null, e.InnerException is null ? e.Message : $"{e.Message} {e.InnerException.Message}");
        }
    }

    /// <summary>The first try after the time goes out. Until it has ended, the others fail as before.</summary>
    private bool IsSilent(string address)
    {
        var now = Stopwatch.GetTimestamp();
        return silent.TryGetValue(address, out var until) && (now < until || !silent.TryUpdate(address, After(now, Limit), until));
    }

    private void NoteSilence(string address)
    {
        var now = Stopwatch.GetTimestamp();
        foreach (var known in silent)
            if (known.Value < now)
                silent.TryRemove(known);
        silent[address] = After(now, Silence);
    }

    private static long After(long timestamp, TimeSpan time) => timestamp + (long)(time.TotalSeconds * Stopwatch.Frequency);

    private HttpRequestMessage Request(NotificationAttempt attempt)
    {
        var id = $"msg_{attempt.Id:N}";
        var time = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var mac = HMACSHA256.HashData(options.SecretBytes(), Encoding.UTF8.GetBytes($"{id}.{time}.{attempt.Body}"));
        return new(HttpMethod.Post, attempt.Address)
        {
            Content = new StringContent(attempt.Body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
            Headers =
            {
                { "webhook-id", id },
                { "webhook-timestamp", time },
                { "webhook-signature", $"v1,{Convert.ToBase64String(mac)}" },
                { "user-agent", "Temper" },
            },
        };
    }

    /// <summary>
    /// Connects to an address that was just checked, so that a host cannot resolve to one address for the check and to another for
    /// the connection.
    /// </summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var found = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellationToken);
        var allowed = found.Where(IsAllowed).ToArray();
        if (allowed.Length == 0)
            throw new HttpRequestException(
                $"{context.DnsEndPoint.Host} has no public address, and none in Notifications__PrivateNetworks."
            );
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private bool IsAllowed(IPAddress address) =>
        PublicAddress.Is(address) || privateNetworks.Any(network => network.Contains(PublicAddress.Plain(address)));
}
