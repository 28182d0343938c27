using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;

namespace Temper.Api.Access;

/// <summary>
/// Limits the requests of each key, and those of each network that are refused. A bucket holds the requests of a minute and fills
/// evenly. Answers tell what is left in the fields RateLimit-Policy and RateLimit of draft-ietf-httpapi-ratelimit-headers.
/// </summary>
internal sealed class RequestLimits : IDisposable
{
    private const int Default = 6000,
        DefaultRefused = 600,
        Most = 10_000_000;

    private readonly Bucket ofKeys,
        ofRefused;

    /// <exception cref="InvalidOperationException">A setting is out of range.</exception>
    public RequestLimits(IConfiguration configuration)
    {
        ofKeys = new("key", Read(configuration, "Api:RequestsPerMinute", Default));
        ofRefused = new("address", Read(configuration, "Api:RefusedPerMinute", DefaultRefused));
    }

    /// <returns>Null when the caller may go on; otherwise the refusal.</returns>
    public ProblemHttpResult? Refusal(HttpContext context) =>
        ofKeys.Refusal(context, Caller.ClientOf(context), "Too many requests.", most => $"A key may send {most} requests a minute.");

    /// <returns>Null when the address may be told that it is refused; otherwise the answer in its place.</returns>
    public ProblemHttpResult? RefusalOfRefused(HttpContext context) =>
        ofRefused.Refusal(
            context,
            Caller.NetworkOf(context),
            "Too many requests without a valid key.",
            most => $"An address may send {most} requests a minute without a valid key."
        );

    public void Dispose()
    {
        ofKeys.Dispose();
        ofRefused.Dispose();
    }

    private static int Read(IConfiguration configuration, string setting, int byDefault) =>
        configuration.GetValue(setting, byDefault) is var value and >= 1 and <= Most
            ? value
            : throw new InvalidOperationException($"{setting} must be from 1 to {Most}.");

    private sealed class Bucket(string name, int perMinute) : IDisposable
    {
        private const int Seconds = 60;

        private readonly PartitionedRateLimiter<string> limiter = PartitionedRateLimiter.Create<string, string>(client =>
            RateLimitPartition.GetTokenBucketLimiter(
                client,
                _ =>
                    new()
                    {
                        TokenLimit = perMinute,
                        TokensPerPeriod = perMinute,
                        ReplenishmentPeriod = TimeSpan.FromSeconds(Seconds),
                    }
            )
        );

        public ProblemHttpResult? Refusal(HttpContext context, string client, string title, Func<int, string> detail)
        {
            using var lease = limiter.AttemptAcquire(client);
            var left = limiter.GetStatistics(client)?.CurrentAvailablePermits ?? 0;
            var headers = context.Response.Headers;
            headers["RateLimit-Policy"] = $"\"{name}\";q={perMinute};w={Seconds}";
            headers["RateLimit"] = $"\"{name}\";r={left};t={SecondsFor(perMinute - left)}";
            return lease.IsAcquired
                ? null
                : Problems.TryLater(
                    context,
                    Math.Max(1, SecondsFor(1)),
                    StatusCodes.Status429TooManyRequests,
                    title,
                    $"{detail(perMinute)} Try again later."
                );
        }

        public void Dispose() => limiter.Dispose();

        /// <returns>Seconds until so many tokens come.</returns>
        private int SecondsFor(long tokens) => (int)Math.Ceiling(tokens * (double)Seconds / perMinute);
    }
}
