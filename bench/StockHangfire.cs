using Hangfire;
using Hangfire.PostgreSql;
using Hangfire.PostgreSql.Factories;

namespace Temper.Bench;

/// <summary>
/// Hangfire.PostgreSql with its own queue and default settings, except that it polls every second and does not prepare the
/// schema. Its job returns at once.
/// </summary>
internal sealed class StockHangfire : IDisposable
{
    private static Action started = () => { };
    private static Action succeeded = () => { };

    private readonly PostgreSqlStorage storage;
    private readonly BackgroundJobServer? server;

    public StockHangfire(string connectionString, int workers, Action onStarted, Action onSucceeded)
    {
        (started, succeeded) = (onStarted, onSucceeded);
        var options = new PostgreSqlStorageOptions { QueuePollInterval = TimeSpan.FromSeconds(1), PrepareSchemaIfNecessary = false };
        storage = new(new NpgsqlConnectionFactory(connectionString, options), options);
        if (workers > 0)
            server = new(new BackgroundJobServerOptions { WorkerCount = workers, ServerName = "stock" }, storage);
    }

    /// <summary>Enqueues a job through Hangfire's client, which has no statement for many jobs.</summary>
    public void Submit() => new BackgroundJobClient(storage).Enqueue(() => Run());

    public static void Run()
    {
        started();
        succeeded();
    }

    public void Dispose() => server?.Dispose();
}
