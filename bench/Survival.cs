using System.Diagnostics;

namespace Temper.Bench;

/// <summary>
/// Measures what a death costs: how soon a job runs elsewhere, whether it ends with the same bits, and what the checkpoints for
/// it cost.
/// </summary>
internal static class Survival
{
    public static async Task RunAsync(int deaths, int resumes, int pairs)
    {
        Console.WriteLine($"# What a death costs\n\n{Machine.Describe()}\n");
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        if (deaths > 0)
            await RescuesAsync(home, deaths);
        if (resumes > 0)
            await ResumesAsync(home, resumes);
        if (pairs > 0)
            await CheckpointsAsync(home, pairs);
        Directory.Delete(home, recursive: true);
    }

    /// <summary>
    /// Kills the worker of a long job, one of three workers, at a random moment and waits until another worker claims the job.
    /// </summary>
    private static async Task RescuesAsync(string home, int deaths)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home, workers: 3);
        var (random, waits) = (new Random(1), new List<double>());
        for (var i = 0; i < deaths; i++)
        {
            var id = await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob);
            await Task.Delay(random.Next(500, 2500)); // so that the kill hits any phase of heartbeats and watches
            var killed = await fleet.KillAsync(await fleet.OwnerAsync(id));
            waits.Add((await fleet.ClaimedAgainAsync(id) - killed).TotalSeconds);
            await fleet.CancelAsync(id);
            await fleet.AddWorkerAsync();
        }
        waits.Sort();
        Console.WriteLine(
            $"## From kill -9 of a worker to the claim elsewhere\n\n{deaths} deaths of a worker that trained, two others idle, all on "
                + "this machine.\n"
        );
        Console.WriteLine("| s | smallest | median | p90 | p99 | largest |\n|---|---|---|---|---|---|");
        Console.WriteLine(
            $"| kill → claimed by another worker | {waits[0]:F2} | {At(waits, 0.5):F2} | {At(waits, 0.9):F2} | {At(waits, 0.99):F2} | "
                + $"{waits[^1]:F2} |\n"
        );
    }

    /// <summary>
    /// Kills the runner of a job at a random moment of the job's life, and compares the result with that of the same job without
    /// a kill.
    /// </summary>
    private static async Task ResumesAsync(string home, int resumes)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        await using var worker = await WorkerProcess.StartAsync(
            database.ConnectionString,
            home,
            new Dictionary<string, string?> { ["Worker__CheckpointSeconds"] = "1" }
        );
        var spec = new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 16,
            seed = 5,
            maxAttempts = 20,
        };
        var clock = Stopwatch.StartNew();
        var untouched = await api.FinishedJobAsync(await api.SubmitAsync(spec), TimeSpan.FromMinutes(2));
        var expected = (untouched["result"]!, await FiguresAsync(api, untouched));
        var life = clock.Elapsed;

        var (random, hit, same, goneOn) = (new Random(2), 0, 0, 0);
        while (hit < resumes)
        {
            var id = await api.SubmitAsync(spec);
            await Task.Delay(life * random.NextDouble());
            foreach (var runner in worker.Runners())
                await TemperProcess.SignalAsync(runner, "KILL");
            var job = await api.FinishedJobAsync(id, TimeSpan.FromMinutes(2));
            if (job["attempt"]!.GetValue<int>() == 1)
                continue; // the job ended before the kill
            hit++;
            if (await database.ScalarAsync<long>($"SELECT count(DISTINCT attempt) FROM epochs WHERE job_id = '{id}'") > 1)
                goneOn++;
            if (JsonNode.DeepEquals(expected.Item1, job["result"]) && JsonNode.DeepEquals(expected.Item2, await FiguresAsync(api, job)))
                same++;
        }
        Console.WriteLine("## From a checkpoint to the same bits\n");
        Console.WriteLine(
            $"{resumes} jobs on `digits` (16 epochs, a checkpoint every second), the runner killed with kill -9 at a random moment: "
                + $"**{same} of {resumes}** ended with the weights' SHA-256, the test result and every epoch's figures of the job left "
                + $"alone. {goneOn} went on from a checkpoint, the others, which had none yet, began anew.\n"
        );
    }

    /// <summary>Every epoch's metrics without the fields that measure time.</summary>
    private static async Task<JsonNode> FiguresAsync(ApiProcess api, JsonNode job)
    {
        var metrics = await api.GetAsync($"/jobs/{job["id"]}/metrics");
        foreach (var epoch in metrics["items"]!.AsArray())
        foreach (var time in new[] { "seconds", "imagesPerSecond" })
            epoch!.AsObject().Remove(time);
        return metrics;
    }

    /// <summary>
    /// Trains MNIST with a checkpoint every second and with one every epoch, interleaved. The difference is the price of the
    /// additional checkpoints.
    /// </summary>
    private static async Task CheckpointsAsync(string home, int pairs)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var (prices, shares) = (new List<double>(), new List<double>());
        await TrainAsync("86400"); // warms the caches
        for (var i = 0; i < pairs; i++)
        {
            var (few, many) =
                i % 2 == 0 ? (await TrainAsync("86400"), await TrainAsync("1")) : Swap(await TrainAsync("1"), await TrainAsync("86400"));
            var price = (many.Seconds - few.Seconds) / (many.Checkpoints - few.Checkpoints);
            prices.Add(price * 1000);
            shares.Add(100 * price / (few.Seconds / few.Checkpoints));
        }
        prices.Sort();
        shares.Sort();
        Console.WriteLine("## What a checkpoint costs\n");
        Console.WriteLine(
            $"CNN with Adam on MNIST (5 MB), through the service; {pairs} pairs of 2 epochs, a checkpoint every second against one an "
                + "epoch, in turns.\n"
        );
        Console.WriteLine("| | median | smallest | largest |\n|---|---|---|---|");
        Console.WriteLine($"| ms of training time per checkpoint | {At(prices, 0.5):F1} | {prices[0]:F1} | {prices[^1]:F1} |");
        Console.WriteLine(
            $"| that as a share of the training time between two, at one an epoch or every 5 s, % | {At(shares, 0.5):F2} | "
                + $"{shares[0]:F2} | {shares[^1]:F2} |"
        );

        async Task<Cost> TrainAsync(string interval)
        {
            await using var worker = await WorkerProcess.StartAsync(
                database.ConnectionString,
                home,
                new Dictionary<string, string?> { ["Worker__CheckpointSeconds"] = interval }
            );
            await database.ExecuteAsync(
                "CREATE TABLE IF NOT EXISTS made (at timestamptz); TRUNCATE made; CREATE OR REPLACE FUNCTION note() RETURNS trigger "
                    + "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO made VALUES (clock_timestamp()); RETURN NULL; END $$; CREATE OR REPLACE "
                    + "TRIGGER note AFTER INSERT OR UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION note()"
            );
            var job = await api.FinishedJobAsync(
                await api.SubmitAsync(
                    new
                    {
                        dataset = "mnist",
                        epsilon = 0.1,
                        epochs = 2,
                    }
                ),
                TimeSpan.FromMinutes(5)
            );
            var epochs = (await api.GetAsync($"/jobs/{job["id"]}/metrics"))["items"]!.AsArray();
            return new(
                epochs.Sum(epoch => epoch!["seconds"]!.GetValue<double>()),
                (int)await database.ScalarAsync<long>("SELECT count(*) FROM made")
            );
        }
    }

    private sealed record Cost(double Seconds, int Checkpoints);

    private static (T, T) Swap<T>(T one, T other) => (other, one);

    private static double At(List<double> sorted, double share) => sorted[Math.Min((int)(share * sorted.Count), sorted.Count - 1)];
}
