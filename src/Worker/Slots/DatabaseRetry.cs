using Npgsql;
using Polly;
using Polly.Retry;
using Temper.Store;

namespace Temper.Worker.Slots;

/// <summary>The retry policy for everything that a worker must tell the database.</summary>
internal static class DatabaseRetry
{
    public static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);

    /// <returns>
    /// A policy that retries endlessly while the database is unreachable. It does not retry other database errors.
    /// </returns>
    public static ResiliencePipeline Create(ILogger log) =>
        new ResiliencePipelineBuilder()
            .AddRetry(
                new RetryStrategyOptions
                {
                    ShouldHandle = new PredicateBuilder().Handle<NpgsqlException>(e => e.IsOutage()),
                    MaxRetryAttempts = int.MaxValue,
                    Delay = Delay,
                    OnRetry = attempt =>
                    {
                        log.LogWarning("The database does not answer, trying again: {Reason}", attempt.Outcome.Exception!.Message);
                        return default;
                    },
                }
            )
            .Build();
}
