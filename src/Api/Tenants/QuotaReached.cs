using Microsoft.AspNetCore.Diagnostics;
using Npgsql;
using Temper.Api.Http;
using Temper.Store.Tenants;

namespace Temper.Api.Tenants;

/// <summary>
/// Answers 429 when a request would queue more jobs than the tenant's quota allows, and 413 when an upload exceeds its quota, since
/// the same upload fails again until something is deleted. Nothing was stored.
/// </summary>
internal sealed class QuotaReached : IExceptionHandler
{
    private const int RetryAfterSeconds = 30;

    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        if (
            (exception as PostgresException ?? exception.InnerException as PostgresException)
            is not { SqlState: TenantStore.QuotaReached or TenantStore.UploadsReached } reached
        )
            return false;
        if (reached.SqlState == TenantStore.UploadsReached)
        {
            await Problems
                .Of(
                    StatusCodes.Status413PayloadTooLarge,
                    "The quota of uploaded bytes is reached.",
                    $"{reached.MessageText} Nothing was stored. Delete some first."
                )
                .ExecuteAsync(context);
            return true;
        }
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
