using System.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;
using Temper.Store.Queue;

namespace Temper.Api.Jobs;

/// <summary>
/// Refuses new jobs while too many jobs are queued. It counts the queued jobs at most once a second and adds its own submissions
/// in between. Several API processes together may exceed the limit by the jobs that they accept in a second.
/// </summary>
internal sealed class QueueLimit(JobQueue queue, IConfiguration configuration)
{
    private const int Default = 100_000,
        RetryAfterSeconds = 5;

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim counting = new(1);
    private readonly Lock gate = new();
    private long countedAt;
    private int counted,
        storedSince,
        underWay;

    /// <summary>Setting `Api:MaxQueued`: the most jobs that may be queued, at least 1; default 100,000.</summary>
    public int Most { get; } =
        configuration.GetValue("Api:MaxQueued", Default) is >= 1 and var most
            ? most
            : throw new InvalidOperationException("Api:MaxQueued must be at least 1.");

    /// <returns>Reserved places; dispose them when the jobs are stored. Null when fewer places are free.</returns>
    public async Task<IDisposable?> TryTakePlacesAsync(int jobs, CancellationToken cancellation)
    {
        await CountAsync(cancellation);
        lock (gate)
        {
            if (jobs > 0 && counted + storedSince + underWay + jobs > Most)
                return null;
            underWay += jobs;
            return new Places(this, jobs);
        }
    }

    public ProblemHttpResult Refuse(HttpContext context) =>
        Problems.TryLater(
            context,
            RetryAfterSeconds,
            StatusCodes.Status429TooManyRequests,
            "The queue is full.",
            $"At most {Most} jobs may wait. Try again when some have begun."
        );

    private async Task CountAsync(CancellationToken cancellation)
    {
        await counting.WaitAsync(cancellation);
        try
        {
            int storedBefore;
            lock (gate)
            {
                if (countedAt != 0 && Stopwatch.GetElapsedTime(countedAt) < Fresh)
                    return;
                storedBefore = storedSince;
            }
            var waiting = await queue.CountQueuedAsync(Most, cancellation);
            // A job that is stored during the count may count twice until the next count. No job is missed.
            lock (gate)
                (counted, storedSince, countedAt) = (waiting, storedSince - storedBefore, Stopwatch.GetTimestamp());
        }
        finally
        {
            counting.Release();
        }
    }

    private sealed class Places(QueueLimit limit, int jobs) : IDisposable
    {
        public void Dispose()
        {
            lock (limit.gate)
                (limit.underWay, limit.storedSince) = (limit.underWay - jobs, limit.storedSince + jobs);
        }
    }
}
