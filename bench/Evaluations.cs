using System.Diagnostics;
using System.Net;
using Temper.Domain;

namespace Temper.Bench;

/// <summary>
/// Measures how long `POST /evaluations` takes for large files, and `GET /evaluations/{id}/calibration` after it, through the API
/// on the same machine.
/// </summary>
internal static class Evaluations
{
    public static async Task RunAsync(int rounds)
    {
        await using var database = await TestDatabase.CreateAsync();
        Console.WriteLine($"# Time and memory of an evaluation\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            "float32 logits and int64 labels in an uncompressed npz, simulated, labels drawn from the model's own probabilities; one "
                + $"request at a time; {rounds} rounds, each in a new API process. Seconds from the first byte sent to the last "
                + "received. Memory: the largest resident set of the API.\n"
        );
        Console.WriteLine(
            "| N × K | validation | file MB | POST s, median | largest | GET report s | API MB |\n|---|---|---|---|---|---|---|"
        );
        foreach (
            var (count, classes, validation) in new[]
            {
                (1_000_000, 10, 0),
                (1_000_000, 10, 100_000),
                (50_000, 1000, 0),
                (50_000, 1000, 10_000),
            }
        )
        {
            var file = FileOf(count, classes, validation);
            var (posts, reports, memory) = (new List<double>(), new List<double>(), new List<double>());
            for (var round = 0; round < rounds; round++)
            {
                await using var api = await ApiProcess.StartAsync(database.ConnectionString);
                var (post, report) = await AskAsync(api, file);
                posts.Add(post);
                reports.Add(report);
                memory.Add(LargestResident(api.Id));
            }
            posts.Sort();
            var fittedOn = validation == 0 ? "none, cross-fitted" : $"{validation:N0}";
            Console.WriteLine(
                $"| {count:N0} × {classes:N0} | {fittedOn} | {file.Length / 1e6:F0} | {posts[posts.Count / 2]:F1} | {posts[^1]:F1} | "
                    + $"{reports.Max():F1} | {memory.Max():F0} |"
            );
        }
    }

    private static async Task<(double Post, double Report)> AskAsync(ApiProcess api, byte[] file)
    {
        using var client = new HttpClient { BaseAddress = api.Http.BaseAddress, Timeout = TimeSpan.FromMinutes(5) };
        var clock = Stopwatch.StartNew();
        using var answer = await client.PostAsync(
            "/evaluations",
            new ByteArrayContent(file) { Headers = { ContentType = new("application/octet-stream") } }
        );
        var text = await answer.Content.ReadAsStringAsync();
        var post = clock.Elapsed.TotalSeconds;
        if (answer.StatusCode != HttpStatusCode.Created)
            throw new InvalidOperationException($"{answer.StatusCode}: {text}");
        clock.Restart();
        await client.GetStringAsync($"{JsonNode.Parse(text)!["evaluation"]!["links"]!["calibration"]}");
        var report = clock.Elapsed.TotalSeconds;
        await client.DeleteAsync($"{answer.Headers.Location}");
        return (post, report);
    }

    private static byte[] FileOf(int count, int classes, int validation)
    {
        var (logits, labels) = Draw(count, classes, 1);
        if (validation == 0)
            return NpzBytes.Of(("logits", logits, [count, classes]), ("labels", labels, [count]));
        var (other, otherLabels) = Draw(validation, classes, 2);
        return NpzBytes.Of(
            ("logits", logits, [count, classes]),
            ("labels", labels, [count]),
            ("validation_logits", other, [validation, classes]),
            ("validation_labels", otherLabels, [validation])
        );
    }

    /// <summary>A model that is over-confident: it doubles the logits by which labels are drawn.</summary>
    private static (float[] Logits, long[] Labels) Draw(int count, int classes, long seed)
    {
        var random = new SplitMix64(seed, (ulong)classes);
        var (logits, labels, shares) = (new float[count * classes], new long[count], new double[classes]);
        for (var i = 0; i < count; i++)
        {
            var row = logits.AsSpan(i * classes, classes);
            var sum = 0.0;
            for (var k = 0; k < classes; k++)
                row[k] = (float)random.NextDouble(-1, 1);
            row[random.NextInt32(classes)] += (float)random.NextDouble(0, 12);
            for (var k = 0; k < classes; k++)
                sum += shares[k] = Math.Exp(row[k]);
            var u = random.NextDouble() * sum;
            while (labels[i] < classes - 1 && (u -= shares[labels[i]]) >= 0)
                labels[i]++;
            for (var k = 0; k < classes; k++)
                row[k] *= 2;
        }
        return (logits, labels);
    }

    private static double LargestResident(int process) =>
        File.ReadLines($"/proc/{process}/status")
            .Where(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Select(line => double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) * 1024 / 1e6)
            .Single();
}
