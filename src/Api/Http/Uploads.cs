using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Temper.Api.Http;

/// <summary>The limits of files that requests send.</summary>
internal sealed class Uploads : IDisposable
{
    private const int DefaultMiB = 1024,
        MostMiB = 4096,
        AtOnce = 8,
        OfOneClient = 4,
        RetryAfterSeconds = 5,
        LeastKiBPerSecond = 256;

    /// <summary>The environment variable of the largest file.</summary>
    public const string Setting = "Api__MaxUploadMiB";

    private readonly PartitionedRateLimiter<HttpContext> places;
    private readonly int largestMiB;

    /// <exception cref="InvalidOperationException">The setting `Api:MaxUploadMiB` is not from 1 to 4096.</exception>
    public Uploads(ApiKeys keys, IConfiguration configuration)
    {
        largestMiB = configuration.GetValue("Api:MaxUploadMiB", DefaultMiB);
        if (largestMiB is < 1 or > MostMiB)
            throw new InvalidOperationException($"Api:MaxUploadMiB must be from 1 to {MostMiB}.");
        places = PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                RateLimitPartition.GetConcurrencyLimiter(keys.ClientOf(context), _ => new() { PermitLimit = OfOneClient * largestMiB })
            ),
            PartitionedRateLimiter.Create<HttpContext, bool>(_ =>
                RateLimitPartition.GetConcurrencyLimiter(true, _ => new() { PermitLimit = AtOnce * largestMiB })
            )
        );
    }

    /// <summary>
    /// The slowest that a file may arrive, on average after the first 10 s. So a place is kept for a time in proportion to the size of
    /// the file: 1 GiB for 68 minutes at most.
    /// </summary>
    public static MinDataRate LeastRate { get; } = new(bytesPerSecond: LeastKiBPerSecond << 10, gracePeriod: TimeSpan.FromSeconds(10));

    /// <summary>The largest file of a request, and the largest data set, in bytes.</summary>
    public long LargestBytes => (long)largestMiB << 20;

    /// <returns>The largest body of an endpoint in bytes.</returns>
    public long LargestOf(FileRule rule) => Math.Min(rule.MostBytes ?? LargestBytes, LargestBytes);

    /// <summary>
    /// Takes a place until the request ends. It bounds the disk space that files take together. A place has room for the largest
    /// file; an endpoint that takes only smaller ones shares it, by MiB.
    /// </summary>
    /// <returns>False when all are taken.</returns>
    public bool TryTakePlace(HttpContext context, FileRule rule)
    {
        var bytes = rule.MostBytes is null ? LargestBytes : Math.Min(context.Request.ContentLength ?? long.MaxValue, LargestOf(rule));
        var lease = places.AttemptAcquire(context, (int)Math.Max(1, bytes >> 20));
        context.Response.RegisterForDispose(lease);
        return lease.IsAcquired;
    }

    public static ProblemHttpResult NoPlace(HttpContext context) =>
        Problems.TryLater(
            context,
            RetryAfterSeconds,
            StatusCodes.Status429TooManyRequests,
            "Too many files are being sent.",
            $"{AtOnce} requests may send a large file at once, {OfOneClient} of them of one client. Try again."
        );

    public static ProblemHttpResult TooSlow() =>
        Problems.Of(
            StatusCodes.Status408RequestTimeout,
            "The body arrives too slowly.",
            $"A file must arrive with {LeastKiBPerSecond} KiB/s or more on average."
        );

    public void Dispose() => places.Dispose();
}
