using Temper.Harness.Telemetry;

namespace Temper.Bench;

/// <summary>
/// Measures the rate of training with and without telemetry: two workers, of which one sends traces and metrics by OTLP and is read
/// by Prometheus every second. They train the same job in turns, the first of a round alternating.
/// </summary>
internal static class TelemetryCost
{
    private const int Epochs = 3;

    public static async Task RunAsync(int rounds)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var receiver = await OtlpReceiver.StartAsync();
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        var (apiPort, workerPort) = (ApiProcess.FreePort(), ApiProcess.FreePort());
        await using var api = await ApiProcess.StartAsync(database.ConnectionString, With(apiPort));
        var (off, on) = (new List<double>(), new List<double>());
        for (var round = -1; round < rounds; round++)
        {
            // The first round warms the file cache.
            foreach (var telemetry in round % 2 == 0 ? new[] { true, false } : [false, true])
            {
                var rate = await RateAsync(telemetry, seed: round + 1);
                if (round >= 0)
                    (telemetry ? on : off).Add(rate);
            }
        }
        Directory.Delete(home, recursive: true);

        var (mean, halfWidth) = off.Zip(on, (without, with) => 100 * (with / without - 1)).ToList().Interval();
        Console.WriteLine($"# Training with telemetry\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            $"{Epochs} epochs on MNIST, {rounds} rounds; in each a worker without telemetry and one with it train the same job in turns. "
                + "With it, traces and metrics go to a receiver on this machine, and Prometheus' endpoint is read every second. "
                + "Images per second over the epochs after the first, median (lowest–highest).\n"
        );
        Console.WriteLine("| telemetry | images/s |\n|---|---|");
        Console.WriteLine($"| off | {off.Spread("F0")} |");
        Console.WriteLine($"| on | {on.Spread("F0")} |");
        Console.WriteLine($"\nDifference of a round's pair: {mean:+0.0;-0.0} % ± {halfWidth:F1} % (95 %).");

        Dictionary<string, string?> With(int port) =>
            new(receiver.Environment) { ["Telemetry__PrometheusPort"] = $"{port}", ["Worker__Threads"] = $"{Environment.ProcessorCount}" };

        static object Spec(int seed) =>
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = Epochs,
                seed,
            };

        async Task<double> RateAsync(bool telemetry, int seed)
        {
            await using var worker = await WorkerProcess.StartAsync(
                database.ConnectionString,
                home,
                telemetry ? With(workerPort) : new() { ["Worker__Threads"] = $"{Environment.ProcessorCount}" }
            );
            using var ended = new CancellationTokenSource();
            var reading = telemetry ? ReadAsync(workerPort, ended.Token) : Task.CompletedTask;
            var id = await api.SubmitAsync(Spec(seed));
            while (!(await api.JobAsync(id))["isTerminal"]!.GetValue<bool>())
                await Task.Delay(1000); // each request takes a little time from the training
            await ended.CancelAsync();
            await reading;
            var epochs = (await api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray();
            return epochs.Skip(1).Average(epoch => epoch!["imagesPerSecond"]!.GetValue<double>());
        }
    }

    private static async Task ReadAsync(int port, CancellationToken ended)
    {
        while (!ended.IsCancellationRequested)
        {
            await Scrape.ReadAsync(port);
            await Task.WhenAny(Task.Delay(1000, ended));
        }
    }
}
