using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Bench;

/// <summary>Measures how long `POST /jobs/{id}/predict` takes, through the API, and the memory of models that it keeps.</summary>
internal static class Predict
{
    public static async Task RunAsync(bool quick)
    {
        var requests = quick ? 200 : 1000;
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var models = new[]
        {
            (Name: "cnn, 28×28 grey", Side: 28, Channels: 1, Job: await StoreAsync(database, ModelFile.Cnn())),
            (Name: "resnet20, 32×32 colour", Side: 32, Channels: 3, Job: await StoreAsync(database, ModelFile.ResNet20())),
        };
        Console.WriteLine($"# Time of a prediction\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            $"Drawn weights and images, through the API on the same machine. One image: {requests} requests after 200 to warm up. Batches "
                + "of 1,000 as JSON: 10 requests after one.\n"
        );
        Console.WriteLine(
            "| model | images | format | clients | median ms | p99 ms | largest ms | images/s |\n|---|---|---|---|---|---|---|---|"
        );
        foreach (var (name, side, channels, job) in models)
        {
            var one = Image(side, channels, 1);
            var png = PngFile.Of(channels == 1 ? PngFile.Grey : PngFile.Colour, [.. one.Chunk(side * channels)]);
            foreach (
                var (format, clients, body) in new (string, int, Func<HttpContent>)[]
                {
                    ("PNG", 1, () => Body(png, "image/png")),
                    ("JSON", 1, () => Json([one], side, channels)),
                    ("PNG", 8, () => Body(png, "image/png")),
                }
            )
            {
                await MeasureAsync(api, job, 200, clients, body);
                Print(name, 1, format, clients, await MeasureAsync(api, job, requests, clients, body));
            }
            var thousand = Enumerable.Range(0, 1000).Select(i => Image(side, channels, i)).ToArray();
            await MeasureAsync(api, job, 1, 1, () => Json(thousand, side, channels));
            Print(name, 1000, "JSON", 1, await MeasureAsync(api, job, 10, 1, () => Json(thousand, side, channels)));
        }
        using var process = Process.GetProcessById(api.Id);
        Console.WriteLine(
            $"\nThe API's memory at the end: {process.WorkingSet64 >> 20} MiB, at most {process.PeakWorkingSet64 >> 20} MiB.\n"
        );
        Console.WriteLine(
            "Models that are kept, in a new API process after one prediction. The first prediction of each loads it. Memory is the growth "
                + "of the resident set.\n"
        );
        Console.WriteLine(
            "| model | weights MiB | models | first prediction, median ms | largest ms | MiB each | counted MiB each |\n"
                + "|---|---|---|---|---|---|---|"
        );
        await MeasureLoadedAsync(database, "cnn, 28×28 grey", ModelFile.Cnn(), 28, 1, count: 40);
        await MeasureLoadedAsync(database, "mlp of 2048, 32×32 colour", ModelFile.Mlp(3, 32, hidden: 2048), 32, 3, count: 8);
    }

    private static async Task MeasureLoadedAsync(TestDatabase database, string name, byte[] weights, int side, int channels, int count)
    {
        var jobs = new List<Guid>();
        while (jobs.Count <= count)
            jobs.Add(await StoreAsync(database, weights));
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        using var process = Process.GetProcessById(api.Id);
        await FirstAsync(jobs[0]);
        process.Refresh();
        var (before, times) = (process.WorkingSet64, new List<double>());
        foreach (var job in jobs.Skip(1))
            times.Add(await FirstAsync(job));
        process.Refresh();
        var each = (process.WorkingSet64 - before) / (double)(count << 20);
        var stored = weights.Length / (double)(1 << 20);
        times.Sort();
        Console.WriteLine($"| {name} | {stored:F1} | {count} | {times[count / 2]:F1} | {times[^1]:F1} | {each:F1} | {4 + 3 * stored:F1} |");

        async Task<double> FirstAsync(Guid job) =>
            (await MeasureAsync(api, job, 1, 1, () => Json([Image(side, channels, 1)], side, channels))).Times[0];
    }

    private static void Print(string model, int images, string format, int clients, (double[] Times, double Seconds) measured)
    {
        var times = measured.Times;
        var (median, late, rate) = (times[times.Length / 2], times[(int)(0.99 * times.Length)], images * times.Length / measured.Seconds);
        Console.WriteLine($"| {model} | {images} | {format} | {clients} | {median:F1} | {late:F1} | {times[^1]:F1} | {rate:F0} |");
    }

    /// <returns>The times of the requests in ms, ascending, and how long all took together.</returns>
    private static async Task<(double[] Times, double Seconds)> MeasureAsync(
        ApiProcess api,
        Guid job,
        int requests,
        int clients,
        Func<HttpContent> body
    )
    {
        var times = new double[requests];
        var (next, all) = (-1, Stopwatch.StartNew());
        await Task.WhenAll(Enumerable.Range(0, clients).Select(_ => Task.Run(AskAsync)));
        var seconds = all.Elapsed.TotalSeconds;
        Array.Sort(times);
        return (times, seconds);

        async Task AskAsync()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < requests; )
            {
                using var content = body();
                var clock = Stopwatch.StartNew();
                using var response = await api.Http.PostAsync($"/jobs/{job}/predict", content);
                await response.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
                times[i] = clock.Elapsed.TotalMilliseconds;
            }
        }
    }

    private static byte[] Image(int side, int channels, int seed)
    {
        var pixels = new byte[side * side * channels];
        new Random(seed).NextBytes(pixels);
        return pixels;
    }

    private static ByteArrayContent Json(byte[][] images, int side, int channels) =>
        Body(
            JsonSerializer.SerializeToUtf8Bytes(
                new
                {
                    images = images.Select(image =>
                        image.Select(p => (int)p).Chunk(channels).Select(p => channels == 1 ? (object)p[0] : p).Chunk(side)
                    ),
                }
            ),
            "application/json"
        );

    private static ByteArrayContent Body(byte[] bytes, string type)
    {
        var body = new ByteArrayContent(bytes);
        body.Headers.ContentType = new MediaTypeHeaderValue(type);
        return body;
    }

    private static async Task<Guid> StoreAsync(TestDatabase database, byte[] weights)
    {
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);
        var spec = new JobSpec
        {
            Dataset = "digits",
            Epsilon = 0,
            Epochs = 1,
        };
        var id = (await JobQueue.SubmitAsync(db, TenantStore.Default, spec, default)).Id;
        var queue = new JobQueue(database.DataSource);
        var worker = WorkerIdentity.Create("cpu", 1);
        await queue.HeartbeatAsync(worker, [], null, default);
        var job = await queue.ClaimAsync(worker.Id, false, default) ?? throw new InvalidOperationException("Nothing to claim.");
        await queue.ReportAsync(job, [new(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400)], null, default);
        var figures = new SplitScores(0.9, 0.3, 0.1, 0.05, 0.05, 0.02, 0.3, 0.05);
        var result = new JobResult(0.9, 0.3, 0.05, 0.05, 1, "cpu", 2, "none", "00", []);
        await queue.SucceedAsync(job, result, new(weights, null, new(1.5, figures, figures)), default);
        return id;
    }
}
