using Microsoft.AspNetCore.Diagnostics;
using Temper.Store;

namespace Temper.Api.Http;

/// <summary>
/// Answers 503 to a request that only a newer build can answer. During an upgrade a load balancer may send its repetition there.
/// </summary>
internal sealed class OlderBuild(ILogger<OlderBuild> log) : IExceptionHandler
{
    private const int RetryAfterSeconds = 2;

    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        if (exception is not NewerBuildException newer)
            return false;
        log.LogWarning("{Path} needs a newer build: {Reason}", context.Request.Path, newer.Message);
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        await Problems
            .TryLater(context, RetryAfterSeconds, StatusCodes.Status503ServiceUnavailable, "This API is of an older build.", newer.Message)
            .ExecuteAsync(context);
        return true;
    }
}
