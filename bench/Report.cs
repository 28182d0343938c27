using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Bench;

/// <summary>Measures how long `GET /jobs/{id}/calibration` takes for 10,000 test images, through the API.</summary>
internal static class Report
{
    public static async Task RunAsync(int rounds)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        Console.WriteLine($"# Time of a calibration report\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            "10,000 test and 6,000 validation images, simulated logits, through the API on the same machine, one request at a time, "
                + $"warm; {rounds} rounds, settings in turn.\n"
        );
        Console.WriteLine("| K | model | resamples | median ms | largest ms |\n|---|---|---|---|---|");
        foreach (var (classes, sharpness, kind) in new[] { (10, 8, "confident"), (10, 2, "unsure"), (100, 8, "confident") })
        {
            var id = await StoreAsync(database, classes, sharpness);
            var times = new Dictionary<string, List<double>>();
            string? tag = null;
            for (var round = -2; round < rounds; round++)
                foreach (var query in new[] { "0", "1000", "304", "measures" })
                {
                    var clock = Stopwatch.StartNew();
                    tag = await AskAsync(api, id, query, tag);
                    if (round >= 0)
                        (times.TryGetValue(query, out var list) ? list : times[query] = []).Add(clock.Elapsed.TotalMilliseconds);
                }
            foreach (var (query, list) in times)
                Console.WriteLine(
                    $"| {classes} | {kind} | {Describe(query)} | " + $"{list.Order().ElementAt(list.Count / 2):F0} | {list.Max():F0} |"
                );
        }
        PrintEpochFigures();
    }

    /// <summary>Prints the time that each epoch spends on its figures, without the evaluation by the model.</summary>
    private static void PrintEpochFigures()
    {
        var logits = Draw(6_000, 10, 8);
        var times = new List<double>();
        for (var round = 0; round < 50; round++)
        {
            var clock = Stopwatch.StartNew();
            Evaluation.Of(new(logits.Logits, logits.Labels, 10));
            times.Add(clock.Elapsed.TotalMilliseconds);
        }
        Console.WriteLine(
            "\nThe figures of one epoch (NLL, accuracy, ECE, signed gap of 6,000×10 validation logits, as on MNIST): "
                + $"{times.Order().ElementAt(25):F1} ms."
        );
    }

    private static string Describe(string query) =>
        query switch
        {
            "304" => "1000, client has it (304)",
            "measures" => "1000, with measures",
            _ => query,
        };

    /// <param name="tag">ETag of the report with the default options, once it is known.</param>
    /// <returns>The same.</returns>
    private static async Task<string?> AskAsync(ApiProcess api, Guid id, string query, string? tag)
    {
        var options = query switch
        {
            "0" => "?resamples=0",
            "measures" => "?measures=true",
            _ => "",
        };
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/jobs/{id}/calibration{options}");
        if (query == "304")
            request.Headers.TryAddWithoutValidation("If-None-Match", tag);
        using var response = await api.Http.SendAsync(request);
        var expected = query == "304" ? System.Net.HttpStatusCode.NotModified : System.Net.HttpStatusCode.OK;
        if (response.StatusCode != expected)
            throw new InvalidOperationException($"{query}: {response.StatusCode}");
        await response.Content.ReadAsByteArrayAsync();
        return query == "1000" ? $"{response.Headers.ETag}" : tag;
    }

    /// <summary>Stores a succeeded job with labels drawn from its model's own probabilities.</summary>
    private static async Task<Guid> StoreAsync(TestDatabase database, int classes, double sharpness)
    {
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);
        var id = (
            await JobQueue.SubmitAsync(
                db,
                TenantStore.Default,
                new JobSpec
                {
                    Dataset = "digits",
                    Epsilon = 0,
                    Epochs = 1,
                },
                default
            )
        ).Id;
        var queue = new JobQueue(database.DataSource);
        var worker = WorkerIdentity.Create("cpu", 1);
        await queue.HeartbeatAsync(worker, [], null, default);
        var job = await queue.ClaimAsync(worker.Id, false, default) ?? throw new InvalidOperationException("Nothing to claim.");
        await queue.SucceedAsync(
            job,
            new(0.9, 0.3, 0.05, 0.05, 1, "cpu", 2, "none", "00", []),
            new([], StoredLogits.Of(Draw(6_000, classes, sharpness), Draw(10_000, classes, sharpness), null)),
            default
        );
        return id;
    }

    private static LabelledLogits Draw(int count, int classes, double sharpness)
    {
        var random = new SplitMix64(count, (ulong)classes);
        var logits = new float[count * classes];
        for (var i = 0; i < count; i++)
        {
            for (var k = 0; k < classes; k++)
                logits[i * classes + k] = (float)random.NextDouble(-1, 1);
            logits[i * classes + random.NextInt32(classes)] += (float)random.NextDouble(0, sharpness);
        }
        var probabilities = SimulatedLogits.Probabilities(new(logits, new int[count], classes));
        var labels = new int[count];
        for (var i = 0; i < count; i++)
        {
            var u = random.NextDouble();
            while (labels[i] < classes - 1 && (u -= probabilities[i * classes + labels[i]]) >= 0)
                labels[i]++;
        }
        return new(logits, labels, classes);
    }
}
