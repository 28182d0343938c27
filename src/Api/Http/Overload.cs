using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>
/// Bounds the work under way and waiting, whatever arrives. What it bounds is the work alone: a request's body is read before it, and
/// the answer is sent after it, so a client that sends or reads slowly keeps nobody else waiting.
/// </summary>
internal sealed class Overload(ApiKeys keys) : IDisposable
{
    /// <summary>Below the 100 connections of the database pool, so that no request waits for one; only polls do, for each other.</summary>
    private const int AtOnce = 64;

    /// <summary>Of one client, so that it alone cannot take all.</summary>
    private const int OfOneClient = 48,
        Waiting = 1000;

    private const int ReportsWaiting = 16,
        ReportWaitSeconds = 10,
        DashboardAtOnce = 8,
        DashboardWaiting = 100,
        RetryAfterSeconds = 1;

    /// <summary>A report takes two threads for a second or more: more at once than there are cores for would only wait.</summary>
    public static int ReportsAtOnce { get; } = Math.Max(1, Environment.ProcessorCount / 2);

    private readonly PartitionedRateLimiter<HttpContext> work = Limiter(keys, OfOneClient, AtOnce, Waiting);
    private readonly PartitionedRateLimiter<HttpContext> reports = Limiter(keys, ReportsAtOnce, ReportsAtOnce, ReportsWaiting);
    private readonly PartitionedRateLimiter<HttpContext> dashboard = Limiter(keys, DashboardAtOnce / 2, DashboardAtOnce, DashboardWaiting);

    /// <summary>An endpoint's filter: beyond the bounds 429 with `Retry-After`.</summary>
    public async ValueTask<object?> LimitAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        using var lease = await work.AcquireAsync(http, cancellationToken: http.RequestAborted);
        return lease.IsAcquired ? await next(context) : Refusal(http);
    }

    /// <summary>Middleware for what is no endpoint of ours; it includes the sending.</summary>
    public async Task LimitDashboardAsync(HttpContext context, RequestDelegate next)
    {
        using var lease = await dashboard.AcquireAsync(context, cancellationToken: context.RequestAborted);
        if (lease.IsAcquired)
            await next(context);
        else
            await Refusal(context).ExecuteAsync(context);
    }

    /// <summary>Waits for the turn of a report, for some seconds at most.</summary>
    /// <returns>Null where it did not come; else to be disposed when the report is computed.</returns>
    public async Task<IDisposable?> TurnAsync(HttpContext context)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(TimeSpan.FromSeconds(ReportWaitSeconds));
        try
        {
            var lease = await reports.AcquireAsync(context, cancellationToken: limit.Token);
            if (lease.IsAcquired)
                return lease;
            lease.Dispose();
            return null;
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
    }

    public static ProblemHttpResult NoTurn(HttpContext context)
    {
        context.Response.Headers.RetryAfter = ReportWaitSeconds.ToString();
        return Problems.Of(
            StatusCodes.Status503ServiceUnavailable,
            "Too many reports are being computed.",
            $"A report waits for its turn for {ReportWaitSeconds} s at most, and {ReportsWaiting} of a client may wait. Try again."
        );
    }

    public void Dispose()
    {
        foreach (var limiter in new[] { work, reports, dashboard })
            limiter.Dispose();
    }

    private static ProblemHttpResult Refusal(HttpContext context)
    {
        context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString();
        return Problems.Of(StatusCodes.Status429TooManyRequests, "Too many requests at once.", "Try again.");
    }

    /// <summary>Each client waits in a queue of its own, and at its head in one with the others.</summary>
    private static PartitionedRateLimiter<HttpContext> Limiter(ApiKeys keys, int ofOneClient, int ofAll, int waiting) =>
        PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                RateLimitPartition.GetConcurrencyLimiter(keys.ClientOf(context), _ => Options(ofOneClient, waiting))
            ),
            PartitionedRateLimiter.Create<HttpContext, bool>(_ =>
                RateLimitPartition.GetConcurrencyLimiter(true, _ => Options(ofAll, waiting))
            )
        );

    private static ConcurrencyLimiterOptions Options(int atOnce, int waiting) =>
        new()
        {
            PermitLimit = atOnce,
            QueueLimit = waiting,
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        };
}

/// <summary>An answer that takes long to compute. It waits for its turn when the request's other work is done.</summary>
internal sealed class InTurn(Func<CancellationToken, Task<IResult>> compute) : IResult
{
    public async Task ExecuteAsync(HttpContext context)
    {
        var answer = await AnswerAsync(context);
        if (answer is ProblemHttpResult) // the tag is of the report, which this is not
        {
            context.Response.Headers.Remove("ETag");
            context.Response.Headers.Remove("Cache-Control");
        }
        await answer.ExecuteAsync(context);
    }

    private async Task<IResult> AnswerAsync(HttpContext context)
    {
        var overload = context.RequestServices.GetRequiredService<Overload>();
        var reconnection = context.RequestServices.GetRequiredService<Reconnection>();
        var cancellation = context.RequestAborted;
        try
        {
            using var turn = await overload.TurnAsync(context);
            return turn is null ? Overload.NoTurn(context) : await reconnection.OnceMoreAsync(() => compute(cancellation));
        }
        catch (Exception e) when (cancellation.IsCancellationRequested && e is OperationCanceledException or AggregateException)
        {
            return TypedResults.StatusCode(StatusCodes.Status499ClientClosedRequest);
        }
    }
}
