using System.Diagnostics;
using System.Net;
using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Bench;

/// <summary>
/// Measures how 64 clients with large requests affect others: the latency of the list during reports, and the memory during
/// downloads.
/// </summary>
internal static class SlowClients
{
    private const int Clients = 64,
        Seconds = 20,
        ModelBytes = 124_000_000;

    private static readonly JobResult Result = new(0.9, 0.3, 0.05, 0.05, 1, "cpu", 2, "none", "00", []);

    public static async Task RunAsync()
    {
        await using var database = await TestDatabase.CreateAsync();
        Console.WriteLine($"## Beside {Clients} busy clients\n\n{Machine.Describe()}; all on the same cores.\n");
        await WithApiAsync(ReportsAsync);
        await WithApiAsync(DownloadsAsync);

        // Each starts its own process: the memory that reports leave does not belong to the downloads.
        async Task WithApiAsync(Func<ApiProcess, TestDatabase, Task> measure)
        {
            await using var api = await ApiProcess.StartAsync(
                database.ConnectionString.Replace("Maximum Pool Size=10", "Maximum Pool Size=100")
            );
            await measure(api, database);
        }
    }

    private static async Task ReportsAsync(ApiProcess api, TestDatabase database)
    {
        var id = await StoreAsync(api, database, [], Draw(10_000, 100));
        await ListAsync(api, TimeSpan.FromSeconds(2));
        var alone = await ListAsync(api, TimeSpan.FromSeconds(5));
        using var end = new CancellationTokenSource();
        var answers = new Dictionary<HttpStatusCode, int>();
        var clients = Enumerable
            .Range(0, Clients)
            .Select(client =>
                Task.Run(async () =>
                {
                    for (var seed = client; !end.IsCancellationRequested; seed += Clients)
                    {
                        try
                        {
                            using var answer = await api.Http.GetAsync($"/jobs/{id}/calibration?resamples=5000&seed={seed}", end.Token);
                            lock (answers)
                                answers[answer.StatusCode] = answers.GetValueOrDefault(answer.StatusCode) + 1;
                            if (answer.StatusCode != HttpStatusCode.OK)
                                await Task.Delay(answer.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1), end.Token);
                        }
                        catch (OperationCanceledException)
                        {
                            return;
                        }
                    }
                })
            )
            .ToArray();
        var beside = await ListAsync(api, TimeSpan.FromSeconds(Seconds));
        await end.CancelAsync();
        await Task.WhenAll(clients);
        Console.WriteLine(
            $"`GET /jobs` beside {Clients} clients that ask for reports of 10,000 images and K = 100 with `resamples=5000`, each "
                + $"after `Retry-After` again, {Seconds} s:\n"
        );
        Console.WriteLine("| | requests | median ms | p99 ms | largest ms |\n|---|---|---|---|---|");
        foreach (var (name, times) in new[] { ("alone", alone), ("beside them", beside) })
            Console.WriteLine(
                $"| {name} | {times.Count} | {times.Median():F1} | {times.Order().ElementAt((int)(0.99 * (times.Count - 1))):F1} | "
                    + $"{times.Max():F1} |"
            );
        Console.WriteLine($"\nTheir answers: {string.Join(", ", answers.Select(answer => $"{answer.Value} × {(int)answer.Key}"))}.\n");
    }

    private static async Task<List<double>> ListAsync(ApiProcess api, TimeSpan time)
    {
        var (times, clock) = (new List<double>(), Stopwatch.StartNew());
        while (clock.Elapsed < time)
        {
            var start = Stopwatch.GetTimestamp();
            await api.Http.GetStringAsync("/jobs");
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            await Task.Delay(10);
        }
        return times;
    }

    private static async Task DownloadsAsync(ApiProcess api, TestDatabase database)
    {
        var weights = new byte[ModelBytes];
        Random.Shared.NextBytes(weights);
        var id = await StoreAsync(api, database, weights, null);
        var before = Resident(api.Id);
        using var end = new CancellationTokenSource();
        var largest = 0L;
        var watch = Task.Run(async () =>
        {
            for (; !end.IsCancellationRequested; await Task.Delay(20))
                largest = Math.Max(largest, Resident(api.Id));
        });
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => DownloadAsync(api, id)));
        var seconds = clock.Elapsed.TotalSeconds;
        await end.CancelAsync();
        await watch;
        Console.WriteLine(
            $"{Clients} downloads of a model of {ModelBytes / 1e6:F0} MB at once: {seconds:F0} s, "
                + $"{Clients * (ModelBytes / 1e6) / seconds:F0} MB/s; the API's resident memory {before >> 20} MiB before, {largest >> 20} "
                + "MiB at most.\n"
        );
    }

    private static async Task DownloadAsync(ApiProcess api, Guid id)
    {
        await using var model = await api.Http.GetStreamAsync($"/jobs/{id}/model");
        var (buffer, length) = (new byte[1 << 16], 0L);
        for (int read; (read = await model.ReadAsync(buffer)) > 0; )
            length += read;
        if (length != ModelBytes)
            throw new InvalidOperationException($"{length} bytes came.");
    }

    private static long Resident(int process) =>
        1024
        * long.Parse(
            File.ReadLines($"/proc/{process}/status")
                .Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]
        );

    private static async Task<Guid> StoreAsync(ApiProcess api, TestDatabase database, byte[] weights, LabelledLogits? logits)
    {
        var id = await api.SubmitAsync(
            new
            {
                dataset = "cifar100",
                epsilon = 0,
                epochs = 1,
            }
        );
        var queue = new JobQueue(database.DataSource);
        var worker = WorkerIdentity.Create("cpu", 1);
        await queue.HeartbeatAsync(worker, [], null, default);
        var job = await queue.ClaimAsync(worker.Id, false, default) ?? throw new InvalidOperationException("Nothing to claim.");
        await queue.SucceedAsync(job, Result, new(weights, logits is null ? null : StoredLogits.Of(logits, logits, null)), default);
        return id;
    }

    private static LabelledLogits Draw(int count, int classes)
    {
        var random = new SplitMix64(count, (ulong)classes);
        var (logits, labels) = (new float[count * classes], new int[count]);
        for (var i = 0; i < logits.Length; i++)
            logits[i] = 3 * (float)random.NextDouble();
        for (var i = 0; i < count; i++)
            labels[i] = random.NextInt32(classes);
        return new(logits, labels, classes);
    }
}
