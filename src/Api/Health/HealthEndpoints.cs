using System.Diagnostics;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;
using Temper.Api.Http;
using Temper.Store;

namespace Temper.Api.Health;

internal static class HealthEndpoints
{
    public static void AddHealth(this IServiceCollection services)
    {
        services.AddSingleton<DatabaseStores>();
        // The log leaves out failed checks: the answer shows them, and clients repeat the check often during an outage.
        services.AddLogging(logging => logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None));
        services.AddHealthChecks().AddCheck<DatabaseStores>("database", timeout: TimeSpan.FromSeconds(3));
    }

    /// <summary>live: this process serves. ready: its database answers and can store.</summary>
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false }).AllowAnonymous();
        routes.MapHealthChecks("/health/ready").AllowAnonymous();
    }

    /// <summary>
    /// Checks whether the database can store a job now. A read would not notice a full disk or a read-only server. Anyone can
    /// call it without a key, so it queries the database at most once a second.
    /// </summary>
    private sealed class DatabaseStores(NpgsqlDataSource database, Schema schema, Reconnection reconnection) : IHealthCheck
    {
        private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

        private readonly SemaphoreSlim asking = new(1);
        private HealthCheckResult last;
        private long lastAt;

        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellation)
        {
            await asking.WaitAsync(cancellation);
            try
            {
                if (lastAt != 0 && Stopwatch.GetElapsedTime(lastAt) < Fresh)
                    return last;
                last = await AskAsync(cancellation);
                lastAt = Stopwatch.GetTimestamp();
                return last;
            }
            finally
            {
                asking.Release();
            }
        }

        private async Task<HealthCheckResult> AskAsync(CancellationToken cancellation)
        {
            try
            {
                schema.ThrowUnlessCurrent();
                return await reconnection.AgainAsync(() => StoreAsync(cancellation));
            }
            catch (Exception e) when (e is NpgsqlException or NewerBuildException)
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        }

        private async Task<HealthCheckResult> StoreAsync(CancellationToken cancellation)
        {
            // The statement stores 64 rows of 1000 bytes on the disk that holds the jobs. The rollback removes them.
            await using var connection = await database.OpenConnectionAsync(cancellation);
            await using var transaction = await connection.BeginTransactionAsync(cancellation);
            await using var store = new NpgsqlCommand(
                "CREATE TEMP TABLE room ON COMMIT DROP AS SELECT repeat('-', 1000) FROM generate_series(1, 64)",
                connection,
                transaction
            );
            await store.ExecuteNonQueryAsync(cancellation);
            await transaction.RollbackAsync(cancellation);
            return HealthCheckResult.Healthy();
        }
    }
}
