using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>
/// Limits how many requests are processed and how many wait. The limit covers only the processing: the body is read before it
/// and the answer is sent after it, so a client that sends or reads slowly does not delay other clients.
/// </summary>
internal sealed class Overload : IDisposable
{
    /// <summary>
    /// Requests at once. It is below the 100 connections of the database pool, so no request waits for a connection. Only polls
    /// wait for each other, in their own pool.
    /// </summary>
    private const int AtOnce = 64;

    /// <summary>Requests of one client at once: fewer than all, so that one client cannot take all places.</summary>
    private const int OfOneClient = 48,
        Waiting = 1000;

    private const int ReportsWaiting = 16,
        PredictionsWaiting = 256,
        TurnWaitSeconds = 10,
        EvaluationWaitSeconds = 60,
        PagesAtOnce = 8,
        PagesWaiting = 100,
        CatchUpsOfOneClient = 2,
        CatchUpsAtOnce = 4,
        RetryAfterSeconds = 1;

    /// <summary>Half the cores, at least 1. Reports share the cores, so more at once would only take more memory.</summary>
    public static int ReportsAtOnce { get; } = Math.Max(1, Environment.ProcessorCount / 2);

    /// <summary>All cores, because a prediction uses one thread.</summary>
    private static int PredictionsAtOnce => Environment.ProcessorCount;

    private readonly PartitionedRateLimiter<HttpContext> work = Limiter(OfOneClient, AtOnce, Waiting);
    private readonly PartitionedRateLimiter<HttpContext> reports = Limiter(ReportsAtOnce, ReportsAtOnce, ReportsWaiting);
    private readonly PartitionedRateLimiter<HttpContext> predictions = Limiter(
        Math.Max(1, PredictionsAtOnce / 2),
        PredictionsAtOnce,
        PredictionsWaiting
    );
    private readonly PartitionedRateLimiter<HttpContext> pages = Limiter(PagesAtOnce / 2, PagesAtOnce, PagesWaiting);

    /// <summary>One, apart from other reports: the report of a million images takes many seconds.</summary>
    private readonly PartitionedRateLimiter<HttpContext> evaluations = Limiter(1, 1, ReportsWaiting);

    /// <summary>Without a limit for those that wait: a client's number of streams has one.</summary>
    private readonly PartitionedRateLimiter<HttpContext> catchUps = Limiter(CatchUpsOfOneClient, CatchUpsAtOnce, int.MaxValue);

    /// <summary>Endpoint filter. It answers 429 with `Retry-After` when the limits are exceeded.</summary>
    public async ValueTask<object?> LimitAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        using var lease = await work.AcquireAsync(http, cancellationToken: http.RequestAborted);
        return lease.IsAcquired ? await next(context) : Refusal(http);
    }

    /// <summary>Does a part of a request that has left the endpoint filters. The answer is 429 when the limits are exceeded.</summary>
    public async Task<T> LimitAsync<T>(HttpContext context, Func<Task<T>> work, Func<IResult, T> refuse)
    {
        using var lease = await this.work.AcquireAsync(context, cancellationToken: context.RequestAborted);
        return lease.IsAcquired ? await work() : refuse(Refusal(context));
    }

    /// <summary>
    /// Middleware that limits the pages of Hangfire and Swagger UI. Here the limit also covers the sending of the answer.
    /// </summary>
    public async Task LimitPagesAsync(HttpContext context, RequestDelegate next)
    {
        using var lease = await pages.AcquireAsync(context, cancellationToken: context.RequestAborted);
        if (lease.IsAcquired)
            await next(context);
        else
            await Refusal(context).ExecuteAsync(context);
    }

    /// <summary>
    /// Waits until a request of this kind may be computed: an evaluation, whose file is sent already, for 60 s at most; others for
    /// 10 s.
    /// </summary>
    /// <returns>A lease; dispose it when the answer is computed. Null when the wait is over or too many requests wait.</returns>
    public async Task<IDisposable?> TurnAsync(HttpContext context, Turn of)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        limit.CancelAfter(TimeSpan.FromSeconds(WaitSeconds(of)));
        try
        {
            var lease = await LimiterOf(of).AcquireAsync(context, cancellationToken: limit.Token);
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

    /// <summary>
    /// Reads one page of the events that a stream has missed: two of a client at once, four in all. A page may read as many rows as a
    /// hundred other requests, and a client may have a thousand streams. The stream waits outside the other limits, so that it takes
    /// no place of a request.
    /// </summary>
    public async Task<T> CatchUpAsync<T>(HttpContext context, Func<Task<T>> read)
    {
        using var lease = await catchUps.AcquireAsync(context, cancellationToken: context.RequestAborted);
        return await read();
    }

    public static ProblemHttpResult NoTurn(HttpContext context, Turn of)
    {
        var (one, waiting) = of switch
        {
            Turn.Report => ("report", ReportsWaiting),
            Turn.Evaluation => ("evaluation", ReportsWaiting),
            _ => ("prediction", PredictionsWaiting),
        };
        return Problems.TryLater(
            context,
            TurnWaitSeconds,
            StatusCodes.Status503ServiceUnavailable,
            $"Too many {one}s are being computed.",
            $"A {one} waits for its turn for {WaitSeconds(of)} s at most, and {waiting} of a client may wait. Try again."
        );
    }

    private static int WaitSeconds(Turn of) => of == Turn.Evaluation ? EvaluationWaitSeconds : TurnWaitSeconds;

    public void Dispose()
    {
        foreach (var limiter in new[] { work, reports, evaluations, predictions, pages, catchUps })
            limiter.Dispose();
    }

    private PartitionedRateLimiter<HttpContext> LimiterOf(Turn turn) =>
        turn switch
        {
            Turn.Report => reports,
            Turn.Evaluation => evaluations,
            _ => predictions,
        };

    private static ProblemHttpResult Refusal(HttpContext context) =>
        Problems.TryLater(context, RetryAfterSeconds, StatusCodes.Status429TooManyRequests, "Too many requests at once.", "Try again.");

    /// <summary>Each client has its own queue. The request at its head then waits in a queue that all clients share.</summary>
    private static PartitionedRateLimiter<HttpContext> Limiter(int ofOneClient, int ofAll, int waiting) =>
        PartitionedRateLimiter.CreateChained(
            PartitionedRateLimiter.Create<HttpContext, string>(context =>
                RateLimitPartition.GetConcurrencyLimiter(Caller.ClientOf(context), _ => Options(ofOneClient, waiting))
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

/// <summary>Requests that wait for each other.</summary>
internal enum Turn
{
    Report,
    Evaluation,
    Prediction,
}

/// <summary>An answer that takes long to compute. It waits for its turn after the rest of the request is processed.</summary>
internal sealed class InTurn(Func<CancellationToken, Task<IResult>> compute, Turn of = Turn.Report) : IResult
{
    public async Task ExecuteAsync(HttpContext context)
    {
        var answer = await AnswerAsync(context);
        await answer.ExecuteWithoutTagOfOthersAsync(context);
    }

    private async Task<IResult> AnswerAsync(HttpContext context)
    {
        var overload = context.RequestServices.GetRequiredService<Overload>();
        var reconnection = context.RequestServices.GetRequiredService<Reconnection>();
        var cancellation = context.RequestAborted;
        try
        {
            using var turn = await overload.TurnAsync(context, of);
            return turn is null ? Overload.NoTurn(context, of) : await reconnection.AgainAsync(() => compute(cancellation));
        }
        catch (Exception e) when (cancellation.IsCancellationRequested && e is OperationCanceledException)
        {
            return TypedResults.StatusCode(StatusCodes.Status499ClientClosedRequest);
        }
    }
}
