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
        SmallMiB = 256,
        SmallMiBOfOneClient = 128,
        RetryAfterSeconds = 5,
        LeastKiBPerSecond = 256;

    /// <summary>The environment variable of the largest file.</summary>
    public const string Setting = "Api__MaxUploadMiB";

    private readonly PartitionedRateLimiter<HttpContext> places,
        small;
    private readonly int largestMiB;

    /// <exception cref="InvalidOperationException">The setting `Api:MaxUploadMiB` is not from 1 to 4096.</exception>
    public Uploads(IConfiguration configuration)
    {
        largestMiB = configuration.GetValue("Api:MaxUploadMiB", DefaultMiB);
        if (largestMiB is < 1 or > MostMiB)
            throw new InvalidOperationException($"Api:MaxUploadMiB must be from 1 to {MostMiB}.");
        places = Limiter(OfOneClient, AtOnce);
        small = Limiter(SmallMiBOfOneClient, SmallMiB);
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
    /// Takes a place until the request ends. It bounds the disk space that files take together. Endpoints that take only small files
    /// have places of their own, counted by MiB, so that large files that arrive slowly do not stop them.
    /// </summary>
    /// <returns>A refusal when all are taken; otherwise null.</returns>
    public ProblemHttpResult? TakePlace(HttpContext context, FileRule rule)
    {
        var lease = rule.MostBytes is null
            ? places.AttemptAcquire(context)
            : small.AttemptAcquire(context, MiBOf(Math.Min(context.Request.ContentLength ?? long.MaxValue, LargestOf(rule))));
        context.Response.RegisterForDispose(lease);
        return lease.IsAcquired
            ? null
            : Problems.TryLater(
                context,
                RetryAfterSeconds,
                StatusCodes.Status429TooManyRequests,
                "Too many files are being sent.",
                rule.MostBytes is null
                    ? $"{AtOnce} requests may send files at once, {OfOneClient} of them of one client. Try again."
                    : $"Requests like this may send {SmallMiB} MiB at once, {SmallMiBOfOneClient} of them of one client. Try again."
            );
    }

    public static ProblemHttpResult TooSlow() =>
        Problems.Of(
            StatusCodes.Status408RequestTimeout,
            "The body arrives too slowly.",
            $"A file must arrive with {LeastKiBPerSecond} KiB/s or more on average."
        );

    public void Dispose()
    {
        places.Dispose();
        small.Dispose();
    }

    private static int MiBOf(long bytes) => (int)Math.Max(1, (bytes + (1 << 20) - 1) >> 20);

    private static PartitionedRateLimiter<HttpContext> Limiter(int ofOneClient, int ofAll) =>
        PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                RateLimitPartition.GetConcurrencyLimiter(Caller.ClientOf(context), _ => new() { PermitLimit = ofOneClient })
            ),
            PartitionedRateLimiter.Create<HttpContext, bool>(_ =>
                RateLimitPartition.GetConcurrencyLimiter(true, _ => new() { PermitLimit = ofAll })
            )
        );
}
