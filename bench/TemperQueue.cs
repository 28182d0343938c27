using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;

namespace Temper.Bench;

/// <summary>The two measurements of bench/queue/measure.mjs for Temper, in this process.</summary>
internal static class TemperQueue
{
    private static readonly JobSpec Spec = new() { Dataset = "digits", Epsilon = 0.1, Epochs = 1 };

    public static string Payload => Json.Write(Spec);

    public static async Task<Drained> DrainAsync(int workers, int jobs)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var pool = Database.Open(WithProductionPool(database));
        await DrainOnceAsync(database, pool, workers, Math.Min(jobs, 300)); // warms the pool, the plans and the compiler
        return await DrainOnceAsync(database, pool, workers, jobs);
    }

    private static async Task<Drained> DrainOnceAsync(TestDatabase database, NpgsqlDataSource pool, int workers, int jobs)
    {
        await FillAsync(database, jobs);
        await database.ExecuteAsync("VACUUM ANALYZE jobs");
        var before = await SpentAsync(database);
        var (first, last, succeeded) = (0L, 0L, 0);
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var loops = new ClaimLoops(pool, WithProductionPool(database))
        {
            OnClaimed = () => Interlocked.CompareExchange(ref first, Stopwatch.GetTimestamp(), 0),
            OnSucceeded = () =>
            {
                if (Interlocked.Increment(ref succeeded) < jobs) return;
                last = Stopwatch.GetTimestamp();
                done.TrySetResult();
            },
        };
        await loops.StartAsync(workers);
        await done.Task.WaitAsync(TimeSpan.FromMinutes(5));
        return new(Stopwatch.GetElapsedTime(first, last).TotalSeconds, await SpentAsync(database) - before);
    }

    private static async Task<Cost> SpentAsync(TestDatabase database)
    {
        await using var command = database.DataSource.CreateCommand(NodeQueue.CostSql);
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return new(reader.GetDouble(0), reader.GetDouble(1), Environment.CpuUsage.TotalTime.TotalSeconds);
    }

    /// <returns>Milliseconds from commit to start, for each job.</returns>
    public static async Task<double[]> StartAsync(int workers, int jobs)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var pool = Database.Open(WithProductionPool(database));
        var begun = new TaskCompletionSource<long>();
        await using var loops = new ClaimLoops(pool, WithProductionPool(database))
        {
            OnClaimed = () => begun.TrySetResult(Stopwatch.GetTimestamp()),
            OnSucceeded = () => { },
        };
        await loops.StartAsync(workers);
        var random = new Random(1);
        var milliseconds = new List<double>();
        for (var i = -5; i < jobs; i++)
        {
            // Any phase of every queue's poll but Temper's own second, which a notice makes moot.
            await Task.Delay(i < 0 ? 20 : random.Next(50, 650));
            begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);
            await JobQueue.SubmitAsync(db, Spec, default);
            var committed = Stopwatch.GetTimestamp();
            var waited = Stopwatch.GetElapsedTime(committed, await begun.Task).TotalMilliseconds;
            if (i >= 0) milliseconds.Add(waited);
        }
        return [.. milliseconds];
    }

    /// <summary>As submissions leave it, in one statement.</summary>
    private static async Task FillAsync(TestDatabase database, int jobs)
    {
        await using var command = database.DataSource.CreateCommand("INSERT INTO jobs (id, spec, state, attempt, failures) SELECT id, $1, 'queued', 0, 0 FROM unnest($2) id");
        command.Parameters.Add(new() { Value = Payload, NpgsqlDbType = NpgsqlDbType.Jsonb });
        command.Parameters.Add(new() { Value = Enumerable.Range(0, jobs).Select(_ => Guid.CreateVersion7()).ToArray() });
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Tests keep their pools small; a worker has Npgsql's default.</summary>
    private static string WithProductionPool(TestDatabase database) => new NpgsqlConnectionStringBuilder(database.ConnectionString) { MaxPoolSize = 100 }.ToString();
}
