using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;

namespace Temper.Api.Http;

/// <summary>Bounds what the API has under way and waiting in memory, whatever arrives: beyond it, 429 with `Retry-After`.</summary>
internal static class Overload
{
    /// <summary>Below the 100 connections of the database pool, so that no request waits for one; only polls do, for each other.</summary>
    private const int AtOnce = 64;

    private const int Waiting = 1000, RetryAfterSeconds = 1;

    public static void AddOverload(this IServiceCollection services) => services.AddRateLimiter(limiter =>
    {
        limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, bool>(context =>
            context.Request.Path.StartsWithSegments("/health")
                ? RateLimitPartition.GetNoLimiter(false)
                : RateLimitPartition.GetConcurrencyLimiter(true, _ => new() { PermitLimit = AtOnce, QueueLimit = Waiting, QueueProcessingOrder = QueueProcessingOrder.OldestFirst }));
        limiter.OnRejected = async (rejected, _) =>
        {
            rejected.HttpContext.Response.Headers.RetryAfter = RetryAfterSeconds.ToString();
            await Problems.Of(StatusCodes.Status429TooManyRequests, "Too many requests at once.", "Try again.").ExecuteAsync(rejected.HttpContext);
        };
    });
}
