using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Temper.Api.Http;

/// <summary>The limits of connections and of requests before any code of the API sees them.</summary>
internal static class ServerLimits
{
    private const int DefaultConnections = 10_000;

    /// <exception cref="InvalidOperationException">The setting `Api:MaxConnections` is below 1.</exception>
    public static void Set(KestrelServerLimits limits, IConfiguration configuration)
    {
        // Each takes a file descriptor and about 20 KiB. Without a limit, a client that opens connections takes all descriptors, and
        // then the API cannot open one to PostgreSQL or a temporary file.
        limits.MaxConcurrentConnections = configuration.GetValue("Api:MaxConnections", DefaultConnections);
        if (limits.MaxConcurrentConnections < 1)
            throw new InvalidOperationException("Api:MaxConnections must be at least 1.");
        limits.MaxRequestBodySize = PostedBody.LargestDropped;
        // Kestrel's default of 30 s is for slow links; the headers of a request here fit into a packet or two.
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        // With Kestrel's default of 240 bytes/s, a client that reads nothing stays connected for minutes.
        limits.MinResponseDataRate = new(bytesPerSecond: 4096, gracePeriod: TimeSpan.FromSeconds(10));
        limits.MinRequestBodyDataRate = new(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
    }
}
