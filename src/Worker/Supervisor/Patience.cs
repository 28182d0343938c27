using Npgsql;
using Temper.Store;

namespace Temper.Worker.Supervisor;

/// <summary>What a worker has to tell the database is not dropped because the database is away.</summary>
internal static class Patience
{
    public static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <exception cref="NpgsqlException">The database answered, with an error that will not pass.</exception>
    public static Task UntilDatabaseAnswersAsync(Func<Task> ask, ILogger log, CancellationToken stopping) =>
        UntilDatabaseAnswersAsync(async () =>
        {
            await ask();
            return true;
        }, log, stopping);

    /// <inheritdoc cref="UntilDatabaseAnswersAsync(Func{Task}, ILogger, CancellationToken)"/>
    public static async Task<T> UntilDatabaseAnswersAsync<T>(Func<Task<T>> ask, ILogger log, CancellationToken stopping = default)
    {
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (NpgsqlException e) when (e.IsOutage())
            {
                log.LogWarning("The database does not answer, a report waits: {Reason}", e.Message);
                await Task.Delay(RetryDelay, stopping);
            }
        }
    }
}
