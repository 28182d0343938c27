using Microsoft.AspNetCore.Diagnostics;
using Npgsql;
using Temper.Api.Http;
using Temper.Store.Tenants;

namespace Temper.Api.Tenants;

/// <summary>Answers 429 when a request would queue more jobs than the tenant's quota allows. Nothing was stored.</summary>
internal sealed class QuotaReached : IExceptionHandler
{
    private const int RetryAfterSeconds = 30;

    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        if (
            (exception as PostgresException ?? exception.InnerException as PostgresException)
            is not { SqlState: TenantStore.QuotaReached } reached
        )
            return false;
        context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
        await Problems
            .TryLater(
                context,
                RetryAfterSeconds,
                StatusCodes.Status429TooManyRequests,
                "The quota of queued jobs is reached.",
                $"{reached.MessageText} Nothing was changed. Try again when some have begun."
            )
            .ExecuteAsync(context);
        return true;
    }
}
