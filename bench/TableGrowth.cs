using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Bench;

/// <summary>
/// Measures how far the tables grow beyond their live data while jobs train, with the writes of a worker of four slots but
/// without the training.
/// </summary>
internal static class TableGrowth
{
    private const int Slots = 4,
        CheckpointBytes = 5_000_000;

    private static readonly TimeSpan Beat = TimeSpan.FromSeconds(1),
        Checkpoint = TimeSpan.FromSeconds(5);

    private static readonly EpochMetrics Metrics = new(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400);

    public static async Task RunAsync(TimeSpan time)
    {
        Console.WriteLine($"# How far the tables grow\n\n{Machine.Describe()}\n");
        await using var database = await TestDatabase.CreateAsync();
        var queue = new JobQueue(database.DataSource);
        var worker = WorkerIdentity.Create("cpu", Slots);
        await queue.HeartbeatAsync(worker, [], null, default);
        using var over = new CancellationTokenSource(time);
        var jobs = new List<ClaimedJob>();
        for (var i = 0; i < Slots; i++)
        {
            await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);
            await JobQueue.SubmitAsync(
                db,
                TenantStore.Default,
                new()
                {
                    Dataset = "digits",
                    Epsilon = 0.1,
                    Epochs = 100_000,
                },
                default
            );
            jobs.Add((await queue.ClaimAsync(worker.Id, hasCuda: false, default))!);
        }
        var largest = 0L;
        await Task.WhenAll([
            .. jobs.Select(job => TrainAsync(queue, job, over.Token)),
            BeatAsync(queue, worker, jobs, over.Token),
            WatchAsync(),
        ]);

        var before = await SizesAsync(database);
        foreach (var table in before.Keys)
            await database.ExecuteAsync($"VACUUM FULL {table}");
        var live = await SizesAsync(database);
        Console.WriteLine(
            $"{Slots} jobs in {time.TotalMinutes:F0} minutes: a checkpoint of {CheckpointBytes / 1_000_000} MB and an epoch each "
                + $"{Checkpoint.TotalSeconds:F0} s, a heartbeat with progress each second. Live is the size after VACUUM FULL.\n"
        );
        Console.WriteLine("| table | MB | live, MB | times |\n|---|---|---|---|");
        foreach (var table in before.Keys)
            Console.WriteLine(
                $"| {table} | {before[table] / 1e6:F2} | {live[table] / 1e6:F2} | {(double)before[table] / live[table]:F1} |"
            );
        Console.WriteLine(
            $"| all | {before.Values.Sum() / 1e6:F2} | {live.Values.Sum() / 1e6:F2} | "
                + $"{(double)before.Values.Sum() / live.Values.Sum():F1} |\n\nLargest size of all tables meanwhile: {largest / 1e6:F1} MB."
        );

        async Task WatchAsync()
        {
            while (!over.IsCancellationRequested)
            {
                largest = Math.Max(largest, (await SizesAsync(database)).Values.Sum());
                await Task.WhenAny(Task.Delay(Beat, over.Token));
            }
        }
    }

    private static async Task TrainAsync(JobQueue queue, ClaimedJob job, CancellationToken over)
    {
        var data = new byte[CheckpointBytes];
        for (var epoch = 1; !over.IsCancellationRequested; epoch++)
        {
            Random.Shared.NextBytes(data);
            await queue.ReportAsync(job, [Metrics with { Epoch = epoch }], data, CancellationToken.None);
            await queue.VacuumCheckpointsAsync(CancellationToken.None);
            await Task.WhenAny(Task.Delay(Checkpoint, over));
        }
    }

    private static async Task BeatAsync(JobQueue queue, WorkerIdentity worker, List<ClaimedJob> jobs, CancellationToken over)
    {
        for (var step = 1; !over.IsCancellationRequested; step++)
        {
            await queue.HeartbeatAsync(
                worker,
                [.. jobs.Select(job => new HeldJob(job, new(1, 100_000, step, 1000, 2400, 10)))],
                null,
                CancellationToken.None
            );
            await Task.WhenAny(Task.Delay(Beat, over));
        }
    }

    private static async Task<Dictionary<string, long>> SizesAsync(TestDatabase database)
    {
        await using var command = database.DataSource.CreateCommand(
            "SELECT relname::text, pg_total_relation_size(oid) FROM pg_class WHERE relname IN ('jobs', 'workers', 'epochs', "
                + "'checkpoints') AND relkind = 'r' ORDER BY 1"
        );
        await using var row = await command.ExecuteReaderAsync();
        var sizes = new Dictionary<string, long>();
        while (await row.ReadAsync())
            sizes[row.GetString(0)] = row.GetInt64(1);
        return sizes;
    }
}
