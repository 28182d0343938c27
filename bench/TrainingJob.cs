using System.Diagnostics;
using System.Net.Http.Json;

namespace Temper.Bench;

/// <summary>Measures a whole job through the service beside the loop alone, and a worker's cold start.</summary>
internal static class TrainingJob
{
    private const int Epochs = 5;

    public static async Task ServiceAsync(ApiProcess api, int rounds)
    {
        var (extra, shares) = (new List<double>(), new List<Shares>());
        for (var round = 0; round < rounds; round++)
        {
            // Runs the same training, evaluation and test in this process, without checkpoints, reports and database.
            var bare = Stopwatch.StartNew();
            TrainingResults.Train(seed: round, Epochs);
            bare.Stop();
            var share = await JobAsync(api, round);
            shares.Add(share);
            extra.Add(100 * (share.Total / bare.Elapsed.TotalSeconds - 1));
        }
        Console.WriteLine(
            $"## The whole job\n\n{Epochs} epochs on MNIST from the POST to the stored result, beside the same training, "
                + $"validation and test in a process of its own, in turns, {rounds} rounds: {extra.Spread("F1")} % longer.\n"
        );
        Console.WriteLine("| part | s, median | % of the job |\n|---|---|---|");
        foreach (
            var (name, part) in new (string, Func<Shares, double>)[]
            {
                ("POST and queue, until claimed", s => s.Queue),
                ("loading until the first step", s => s.Loading),
                ("training", s => s.Training),
                ("validation and its metrics", s => s.Validation),
                ("the rest: reports, checkpoints, test, storing the result", s => s.Rest),
            }
        )
            Console.WriteLine(
                $"| {name} | {shares.Select(part).Median():F3} | {shares.Select(s => 100 * part(s) / s.Total).Median():F2} |"
            );
        Console.WriteLine(
            "\nA checkpoint is made at the end of an epoch, but not within 5 s of the last; its own share: [survival.md](survival.md).\n"
        );
    }

    private sealed record Shares(double Total, double Queue, double Loading, double Training, double Validation)
    {
        public double Rest => Total - Queue - Loading - Training - Validation;
    }

    private static async Task<Shares> JobAsync(ApiProcess api, int seed)
    {
        var sent = DateTimeOffset.UtcNow;
        var response = await api.Http.PostAsJsonAsync(
            "/jobs",
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = Epochs,
                seed,
            }
        );
        var id = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!.GetValue<Guid>();
        var job = await FinishedAsync(api, id);
        // The times are from the database's clock, which is this machine's clock.
        DateTimeOffset At(string field) => job[field]!.GetValue<DateTimeOffset>();
        var epochs = (await api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray();
        var seconds = epochs.Sum(epoch => epoch!["seconds"]!.GetValue<double>());
        var training = epochs.Sum(epoch => 54_000 / epoch!["imagesPerSecond"]!.GetValue<double>());
        return new(
            (At("finishedAt") - sent).TotalSeconds,
            (At("claimedAt") - sent).TotalSeconds,
            (At("trainingStartedAt") - At("claimedAt")).TotalSeconds,
            training,
            seconds - training
        );
    }

    /// <summary>Starts a worker for a job that waits: .NET, libtorch, its warm-up, the data.</summary>
    public static async Task ColdStartAsync(TestDatabase database, ApiProcess api, string home, int times)
    {
        var (ready, seconds) = (new List<double>(), new List<double>());
        for (var i = 0; i < times; i++)
        {
            var id = await api.SubmitAsync(
                new
                {
                    dataset = "mnist",
                    epsilon = 0.1,
                    epochs = 1,
                }
            );
            var start = DateTimeOffset.UtcNow;
            await using var worker = WorkerProcess.Start(database.ConnectionString, home);
            await Eventually.TrueAsync(() => Task.FromResult(worker.Output.Contains("is ready", StringComparison.Ordinal)));
            ready.Add((DateTimeOffset.UtcNow - start).TotalSeconds);
            seconds.Add(((await FinishedAsync(api, id))["trainingStartedAt"]!.GetValue<DateTimeOffset>() - start).TotalSeconds);
        }
        Console.WriteLine(
            $"## Cold start\n\nFrom the start of a worker process until it is ready to claim (.NET, libtorch, its warm-up, the database), "
                + $"{times} times: {ready.Spread("F2")} s. To the first training step of a job on MNIST that waits, its data read: "
                + $"{seconds.Spread("F2")} s. A warm runner: [start.md](start.md).\n"
        );
    }

    private static async Task<JsonNode> FinishedAsync(ApiProcess api, Guid id)
    {
        while (true)
        {
            await Task.Delay(1000); // each request takes a little time from the training
            if (await api.JobAsync(id) is var job && job["isTerminal"]!.GetValue<bool>())
                return job;
        }
    }
}
