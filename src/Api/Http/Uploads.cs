using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>The limits of files that requests send.</summary>
internal sealed class Uploads : IDisposable
{
    private const int DefaultMiB = 512,
        AtOnce = 8,
        OfOneClient = 4,
        RetryAfterSeconds = 5;

    private readonly PartitionedRateLimiter<HttpContext> places;

    /// <exception cref="InvalidOperationException">The setting `Api:MaxUploadMiB` is not from 1 to 4096.</exception>
    public Uploads(ApiKeys keys, IConfiguration configuration)
    {
        var largest = configuration.GetValue("Api:MaxUploadMiB", DefaultMiB);
        if (largest is < 1 or > 4096)
            throw new InvalidOperationException("Api:MaxUploadMiB must be from 1 to 4096.");
        LargestBytes = (long)largest << 20;
        places = PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                RateLimitPartition.GetConcurrencyLimiter(keys.ClientOf(context), _ => new() { PermitLimit = OfOneClient })
            ),
            PartitionedRateLimiter.Create<HttpContext, bool>(_ =>
                RateLimitPartition.GetConcurrencyLimiter(true, _ => new() { PermitLimit = AtOnce })
            )
        );
    }

    /// <summary>The largest body of a request that sends a file, in bytes.</summary>
    public long LargestBytes { get; }

    /// <summary>Takes a place until the request ends. It bounds the disk space that files take together.</summary>
    /// <returns>False when all are taken.</returns>
    public bool TryTakePlace(HttpContext context)
    {
        var lease = places.AttemptAcquire(context);
        context.Response.RegisterForDispose(lease);
        return lease.IsAcquired;
    }

    public static ProblemHttpResult NoPlace(HttpContext context) =>
        Problems.TryLater(
            context,
            RetryAfterSeconds,
            StatusCodes.Status429TooManyRequests,
            "Too many files are being sent.",
            $"{AtOnce} requests may send a file at once, {OfOneClient} of them of one client. Try again."
        );

    public void Dispose() => places.Dispose();
}
