using System.Diagnostics;
using Npgsql;

namespace Temper.Harness.Chaos;

/// <summary>
/// A connection to the database past every proxy, for what the chaos run observes, not for what it does as a user.
/// </summary>
public sealed class ChaosDatabase : IAsyncDisposable
{
    private const string Name = "chaos";

    private static readonly TimeSpan LongestOutage = TimeSpan.FromSeconds(60),
        RetryDelay = TimeSpan.FromMilliseconds(300);

    private readonly NpgsqlDataSource database;

    public ChaosDatabase(string connectionString) =>
        database = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { ApplicationName = Name, MaxPoolSize = 5 });

    public NpgsqlDataSource DataSource => database;

    public Task ExecuteAsync(string sql) => AskAsync(async command => await command.ExecuteNonQueryAsync(), sql);

    public Task<long> CountAsync(string sql, params object[] parameters) =>
        AskAsync(async command => (long)(await command.ExecuteScalarAsync())!, sql, parameters);

    /// <summary>Every row as a text, its columns separated by spaces.</summary>
    public Task<IReadOnlyList<string>> RowsAsync(string sql, params object[] parameters) =>
        AskAsync(
            async command =>
            {
                var rows = new List<string>();
                await using var reader = await command.ExecuteReaderAsync();
                while (await reader.ReadAsync())
                    rows.Add(string.Join(' ', Enumerable.Range(0, reader.FieldCount).Select(i => reader.GetValue(i).ToString())));
                return (IReadOnlyList<string>)rows;
            },
            sql,
            parameters
        );

    /// <summary>Process ids of the workers that hold a job of the chaos run; empty when the database does not answer.</summary>
    public async Task<IReadOnlySet<int>> TrainingProcessesAsync()
    {
        try
        {
            await using var command = database.CreateCommand(
                "SELECT name FROM workers JOIN jobs ON worker_id = workers.id WHERE idempotency_key LIKE 'chaos-%'"
            );
            await using var reader = await command.ExecuteReaderAsync();
            var processes = new HashSet<int>();
            while (await reader.ReadAsync())
                processes.Add(int.Parse(reader.GetString(0).Split(':')[^1]));
            return processes;
        }
        catch (NpgsqlException)
        {
            return new HashSet<int>();
        }
    }

    /// <summary>Ends backends that serve the API and the workers.</summary>
    /// <returns>The number of backends that it ended.</returns>
    public async Task<int> TerminateBackendsAsync(int target)
    {
        var pids = await RowsAsync(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name <> $1 AND backend_type = "
                + "'client backend' ORDER BY pid",
            Name
        );
        int[] chosen = [.. Enumerable.Range(target, Math.Min(3, pids.Count)).Select(i => int.Parse(pids[i % pids.Count]))];
        return (int)await CountAsync("SELECT count(*) FROM unnest($1) AS pid WHERE pg_terminate_backend(pid)", chosen);
    }

    /// <summary>
    /// Locks Hangfire's tables of jobs and states, so that statements on them wait. A restart of the database ends the lock
    /// early.
    /// </summary>
    public async Task LockHangfireAsync(TimeSpan time)
    {
        try
        {
            await using var connection = await database.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await using var take = new NpgsqlCommand("LOCK TABLE hangfire.job, hangfire.state IN ACCESS EXCLUSIVE MODE", connection);
            await take.ExecuteNonQueryAsync();
            await Task.Delay(time);
        }
        catch (NpgsqlException) { }
    }

    public ValueTask DisposeAsync() => database.DisposeAsync();

    /// <summary>
    /// Repeats a failed statement, because the database restarts now and then. Callers pass only statements that may run twice.
    /// </summary>
    private async Task<T> AskAsync<T>(Func<NpgsqlCommand, Task<T>> ask, string sql, params object[] parameters)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                await using var command = database.CreateCommand(sql);
                foreach (var parameter in parameters)
                    command.Parameters.AddWithValue(parameter);
                return await ask(command);
            }
            catch (NpgsqlException e)
                when ((e.IsTransient || e.SqlState?.StartsWith("57", StringComparison.Ordinal) == true)
                    && Stopwatch.GetElapsedTime(start) < LongestOutage
                )
            {
                await Task.Delay(RetryDelay);
            }
        }
    }
}
