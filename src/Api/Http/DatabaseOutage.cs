using Microsoft.AspNetCore.Diagnostics;
using Temper.Store;

namespace Temper.Api.Http;

/// <summary>Answers 503 with `Retry-After`, instead of 500, when the database does not answer or cannot store for now.</summary>
internal sealed class DatabaseOutage(ILogger<DatabaseOutage> log) : IExceptionHandler
{
    private const int RetryAfterSeconds = 2;

    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        if (Outage.Behind(exception) is not { } cause)
            return false;
        log.LogWarning("The database does not answer: {Reason}", cause.Message);
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        // The answer is a problem document whatever the client's Accept header says.
        await Problems
            .TryLater(
                context,
                RetryAfterSeconds,
                StatusCodes.Status503ServiceUnavailable,
                "The database does not answer or cannot store.",
                "Try again. If this request was to change something, read it back first: its answer may be what was lost."
            )
            .ExecuteAsync(context);
        return true;
    }
}
