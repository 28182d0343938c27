using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;

namespace Temper.Api.Live;

/// <summary>
/// Limits the streams and waiting requests of one client. They do not count as requests being worked on, because they wait most
/// of the time.
/// </summary>
internal sealed class StreamLimit : IDisposable
{
    private const int Default = 1000,
        RetryAfterSeconds = 5;

    private readonly int most;
    private readonly PartitionedRateLimiter<HttpContext> open;

    /// <exception cref="InvalidOperationException">The setting `Api:MaxStreams` is below 1.</exception>
    public StreamLimit(IConfiguration configuration)
    {
        most = configuration.GetValue("Api:MaxStreams", Default);
        if (most < 1)
            throw new InvalidOperationException("Api:MaxStreams must be at least 1.");
        open = PartitionedRateLimiter.Create<HttpContext, string>(context =>
            RateLimitPartition.GetConcurrencyLimiter(Caller.ClientOf(context), _ => new() { PermitLimit = most, QueueLimit = 0 })
        );
    }

    /// <summary>Takes a place until it is disposed or the request ends.</summary>
    /// <returns>Null when the client has none left.</returns>
    public IDisposable? TryTake(HttpContext context)
    {
        var lease = open.AttemptAcquire(context);
        context.Response.RegisterForDispose(lease);
        return lease.IsAcquired ? lease : null;
    }

    public ProblemHttpResult Refuse(HttpContext context) =>
        Problems.TryLater(
            context,
            RetryAfterSeconds,
            StatusCodes.Status429TooManyRequests,
            "Too many streams are open.",
            $"A client may have {most} streams and waiting requests open at once. Close some, or follow several jobs by one stream."
        );

    public void Dispose() => open.Dispose();
}
