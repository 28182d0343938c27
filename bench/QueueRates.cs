using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Temper.Store;
using Temper.Store.Queue;

namespace Temper.Bench;

/// <summary>
/// Measures the control plane without training: how soon a job is claimed and started, in which order, how many jobs per second,
/// and what one job costs.
/// </summary>
internal static class QueueRates
{
    private static readonly int[] SlotCounts = [1, 4, 16];

    /// <summary>Resources spent from before the workers start until after the last job ends.</summary>
    private sealed record Cost(double WalBytes, double ServerCpuSeconds, double WorkersCpuSeconds);

    private sealed record Drain(int Jobs, double Seconds, Cost Cost);

    public static async Task RunAsync(bool quick)
    {
        var (rounds, jobs, starts) = quick ? (2, 200, 20) : (5, 1000, 120);
        Console.WriteLine(
            $"""
            # What Hangfire adds to a claim

            {Machine.Describe()}, {await ServerAsync()}

            Training is replaced by nothing: these are the costs of queueing, not of jobs. One PostgreSQL on the same machine as the worker;
            the two in turn, {rounds} rounds, in each a fresh database. Temper is a worker of that many slots behind Hangfire's server
            (docs/hangfire.md); a job is claimed, made a job of Hangfire's, and succeeds with a result and a model of 64 bytes. Stock is
            Hangfire.PostgreSql with its own
            queue and a method that returns at once; it keeps no result, no attempts and no fence.

            """
        );
        await StartsAsync(starts);
        await OrderAsync(quick ? 100 : 1000);
        await DrainsAsync(rounds, jobs);
    }

    /// <summary>Times claims, one at a time on one connection, by the number of jobs that wait and of tenants that they are of.</summary>
    public static async Task ClaimsAsync(bool quick)
    {
        var (counts, claims) = quick ? (new[] { 1_000, 10_000 }, 50) : (new[] { 1_000, 10_000, 100_000 }, 400);
        Console.WriteLine(
            $"{Machine.Describe()}, {await ServerAsync()}\n\n{claims} claims, one after the other, COMMIT included; "
                + "ms, median / p99.\n"
        );
        Markdown.Head(["tenants", .. counts.Select(count => $"{count} jobs wait")]);
        foreach (var tenants in new[] { 1, 10, 100 })
        {
            var told = new List<string>();
            foreach (var count in counts)
            {
                await using var database = await TestDatabase.CreateAsync();
                await EngineQueue.FillAsync(database, count, priorities: true);
                await database.ExecuteAsync(
                    $"""
                    INSERT INTO tenants (name) SELECT 'tenant-' || n FROM generate_series(1, {tenants}) n;
                    UPDATE jobs SET tenant = 'tenant-' || 1 + sequence % {tenants};
                    """
                );
                await database.ExecuteAsync("VACUUM FULL ANALYZE jobs");
                var queue = new JobQueue(database.DataSource);
                var worker = WorkerIdentity.Create("cpu", 1);
                await queue.HeartbeatAsync(worker, [], null, default);
                var times = new List<double>();
                for (var i = -5; i < claims; i++)
                {
                    var clock = Stopwatch.GetTimestamp();
                    var job = await queue.ClaimAsync(worker.Id, hasCuda: false, default);
                    if (i >= 0)
                        times.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
                    await queue.HandBackAsync(job!, "the next claim has as many jobs to choose from", default);
                }
                told.Add($"{times.Median():F2} / {times.Quantile(0.99):F2}");
            }
            Console.WriteLine($"| {tenants} | {string.Join(" | ", told)} |");
        }
    }

    private static async Task StartsAsync(int starts)
    {
        Console.WriteLine(
            $"{starts} jobs, one at a time at random times, idle slots in the submitter's process; ms from the answer to COMMIT "
                + "(stock: from the end of Enqueue), median / p99 (largest).\n"
        );
        Markdown.Head(["", .. SlotCounts.Select(Slots)]);
        var (claimed, started, stock) = (new List<string>(), new List<string>(), new List<string>());
        foreach (var slots in SlotCounts)
        {
            await using var database = await TestDatabase.CreateAsync();
            var (claim, start) = (new TaskCompletionSource<long>(), new TaskCompletionSource<long>());
            List<double> toClaim = [],
                toStart = [];
            await using (
                new EngineQueue(
                    Pooled(database),
                    slots,
                    () => claim.TrySetResult(Stopwatch.GetTimestamp()),
                    () => start.TrySetResult(Stopwatch.GetTimestamp()),
                    () => { }
                )
            )
                await AtRandomTimesAsync(
                    starts,
                    async measured =>
                    {
                        (claim, start) = (New(), New());
                        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);
                        await EngineQueue.SubmitAsync(db);
                        var committed = Stopwatch.GetTimestamp();
                        var (one, other) = (Since(committed, await claim.Task), Since(committed, await start.Task));
                        if (!measured)
                            return;
                        toClaim.Add(one);
                        toStart.Add(other);
                    }
                );
            claimed.Add(Told(toClaim));
            started.Add(Told(toStart));

            await using var stockDatabase = await TestDatabase.CreateAsync();
            var toStock = new List<double>();
            using (
                var hangfire = new StockHangfire(
                    Pooled(stockDatabase),
                    slots,
                    () => start.TrySetResult(Stopwatch.GetTimestamp()),
                    () => { }
                )
            )
                await AtRandomTimesAsync(
                    starts,
                    async measured =>
                    {
                        start = New();
                        hangfire.Submit();
                        var enqueued = Stopwatch.GetTimestamp();
                        var time = Since(enqueued, await start.Task);
                        if (measured)
                            toStock.Add(time);
                    }
                );
            stock.Add(Told(toStock));
        }
        Console.WriteLine(
            $"| commit → claimed | {string.Join(" | ", claimed)} |\n| commit → method begins | {string.Join(" | ", started)} "
                + $"|\n| stock Hangfire: → method begins | {string.Join(" | ", stock)} |\n"
        );

        static TaskCompletionSource<long> New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
        static double Since(long from, long to) => Stopwatch.GetElapsedTime(from, to).TotalMilliseconds;
        static string Told(List<double> times) => $"{times.Median():F1} / {times.Quantile(0.99):F1} ({times.Max():F1})";
    }

    private static async Task AtRandomTimesAsync(int starts, Func<bool, Task> submit)
    {
        var random = new Random(1);
        for (var i = -5; i < starts; i++)
        {
            await Task.Delay(i < 0 ? 50 : random.Next(50, 650));
            await submit(i >= 0);
        }
    }

    private static async Task OrderAsync(int jobs)
    {
        await using var database = await TestDatabase.CreateAsync();
        await EngineQueue.FillAsync(database, jobs, priorities: true);
        await DrainTemperAsync(database, slots: 2, jobs);
        var passed = await database.ScalarAsync<long>(
            """
            SELECT count(*)
            FROM (SELECT attempts.claimed_at,
                         max(attempts.claimed_at) OVER (
                             ORDER BY priority DESC, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest
                  FROM attempts JOIN jobs ON id = job_id) claims
            WHERE latest > claimed_at + interval '5 milliseconds'
            """
        );
        Console.WriteLine(
            $"{jobs} waiting jobs of eleven priorities, two slots: {passed} were claimed more than 5 ms before a better one.\n"
        );
    }

    private static async Task DrainsAsync(int rounds, int jobs)
    {
        var (temper, stock) = (
            SlotCounts.ToDictionary(slots => slots, _ => new List<Drain>()),
            SlotCounts.ToDictionary(slots => slots, _ => new List<Drain>())
        );
        foreach (var slots in SlotCounts)
            for (var round = 0; round < rounds; round++)
            {
                await using (var database = await TestDatabase.CreateAsync())
                {
                    await EngineQueue.FillAsync(database, jobs);
                    await database.ExecuteAsync("VACUUM ANALYZE jobs");
                    temper[slots].Add(await DrainTemperAsync(database, slots, jobs));
                }
                await using (var database = await TestDatabase.CreateAsync())
                {
                    using (var filling = new StockHangfire(Pooled(database), 0, () => { }, () => { }))
                        for (var i = 0; i < jobs; i++)
                            filling.Submit();
                    await database.ExecuteAsync("VACUUM ANALYZE hangfire.job");
                    await database.ExecuteAsync("VACUUM ANALYZE hangfire.jobqueue");
                    stock[slots]
                        .Add(
                            await DrainAsync(
                                database,
                                jobs,
                                (first, last) =>
                                {
                                    var server = new StockHangfire(Pooled(database), slots, first, last);
                                    return () =>
                                    {
                                        server.Dispose();
                                        return ValueTask.CompletedTask;
                                    };
                                }
                            )
                        );
                }
            }
        Console.WriteLine($"{jobs} jobs that wait, drained.\n");
        Markdown.Head(["", .. SlotCounts.Select(Slots)]);
        Row("Temper, jobs/s", temper, one => one.Jobs / one.Seconds);
        Row("stock Hangfire, jobs/s", stock, one => one.Jobs / one.Seconds);
        Row("Temper, ms of PostgreSQL's processor time a job", temper, one => 1e3 * one.Cost.ServerCpuSeconds / one.Jobs);
        Row("stock Hangfire, the same", stock, one => 1e3 * one.Cost.ServerCpuSeconds / one.Jobs);
        Row("Temper, ms of the worker's", temper, one => 1e3 * one.Cost.WorkersCpuSeconds / one.Jobs);
        Row("stock Hangfire, the same", stock, one => 1e3 * one.Cost.WorkersCpuSeconds / one.Jobs);
        Row("Temper, KB of WAL a job", temper, one => one.Cost.WalBytes / 1e3 / one.Jobs);
        Row("stock Hangfire, the same", stock, one => one.Cost.WalBytes / 1e3 / one.Jobs);

        static void Row(string name, Dictionary<int, List<Drain>> drains, Func<Drain, double> figure) =>
            Markdown.Row([name, .. drains.Values.Select(all => all.Select(figure).Spread("F1"))]);
    }

    private static Task<Drain> DrainTemperAsync(TestDatabase database, int slots, int jobs) =>
        DrainAsync(
            database,
            jobs,
            (first, last) =>
            {
                var worker = new EngineQueue(Pooled(database), slots, first, () => { }, last);
                return worker.DisposeAsync;
            }
        );

    /// <param name="start">Starts a worker that drains the queue, given what to call at each begin and each end of a job; returns
    /// how to end the worker.</param>
    private static async Task<Drain> DrainAsync(TestDatabase database, int jobs, Func<Action, Action, Func<ValueTask>> start)
    {
        var before = await SpentAsync(database);
        var (first, last, ended) = (0L, 0L, 0);
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var end = start(
            () => Interlocked.CompareExchange(ref first, Stopwatch.GetTimestamp(), 0),
            () =>
            {
                if (Interlocked.Increment(ref ended) < jobs)
                    return;
                last = Stopwatch.GetTimestamp();
                done.TrySetResult();
            }
        );
        await done.Task.WaitAsync(TimeSpan.FromMinutes(10));
        var after = await SpentAsync(database);
        await end();
        return new(
            jobs,
            Stopwatch.GetElapsedTime(first, last).TotalSeconds,
            new(
                after.WalBytes - before.WalBytes,
                after.ServerCpuSeconds - before.ServerCpuSeconds,
                after.WorkersCpuSeconds - before.WorkersCpuSeconds
            )
        );
    }

    private static async Task<Cost> SpentAsync(TestDatabase database)
    {
        await using var command = database.DataSource.CreateCommand(
            await File.ReadAllTextAsync(Path.Combine(TemperProcess.Repository, "bench", "queue", "cost.sql"))
        );
        await using var row = await command.ExecuteReaderAsync();
        await row.ReadAsync();
        return new(row.GetDouble(0), row.GetDouble(1), Environment.CpuUsage.TotalTime.TotalSeconds);
    }

    private static async Task<string> ServerAsync()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        async Task<string> Of(string setting) => await database.ScalarAsync<string>($"SELECT current_setting('{setting}')");
        foreach (var setting in new[] { "fsync", "synchronous_commit", "full_page_writes" })
            if (await Of(setting) != "on")
                throw new InvalidOperationException($"{setting} must be on, not {await Of(setting)}.");
        return $"PostgreSQL {await Of("server_version")} as installed: fsync, synchronous_commit and full_page_writes on";
    }

    private static string Slots(int count) => $"{count} slot{(count == 1 ? "" : "s")}";

    /// <summary>The connection string with a larger pool, because the tests keep their pools small.</summary>
    private static string Pooled(TestDatabase database) =>
        new NpgsqlConnectionStringBuilder(database.ConnectionString) { MaxPoolSize = 60 }.ToString();
}
