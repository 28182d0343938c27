using Microsoft.AspNetCore.Diagnostics;
using Npgsql;

namespace Temper.Api.Http;

/// <summary>A database that does not answer is a 503 that says when to come back, not a fault of ours.</summary>
internal sealed class DatabaseOutage(IProblemDetailsService problems, ILogger<DatabaseOutage> log) : IExceptionHandler
{
    private const int RetryAfterSeconds = 2;

    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        if (TransientCause(exception) is not { } cause) return false;
        log.LogWarning("The database does not answer: {Reason}", cause.Message);
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString();
        return await problems.TryWriteAsync(new()
        {
            HttpContext = context,
            ProblemDetails = { Status = 503, Title = "The database does not answer.", Detail = "Nothing was changed by this request unless it says otherwise when read back. Try again." },
        });
    }

    /// <summary>EF wraps Npgsql's exceptions once or twice.</summary>
    private static NpgsqlException? TransientCause(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
            if (exception is NpgsqlException { IsTransient: true } cause) return cause;
        return null;
    }
}
