namespace Temper.Bench;

/// <summary>
/// Trains MNIST through the service with the networks of published results on label smoothing, and prints both results.
/// </summary>
internal static class Published
{
    /// <param name="Error">The published error in percent; a dash where the source gives no such result.</param>
    private sealed record Row(string Network, double Epsilon, string Error);

    private sealed record Run(double ErrorPercent, double Ece, double SignedGap, double Temperature, double EceAfter);

    public static async Task RunAsync(int epochs, int seeds)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        await using var worker = await WorkerProcess.StartAsync(database.ConnectionString, home);

        Row[] rows =
        [
            new("2×1200", 0, "–"),
            new("2×1200", 0.1, "0.59 (Müller 2019 §4, 100 epochs)"),
            new("2×1024", 0, "–"),
            new("2×1024", 0.1, "1.23 ± 0.06 (Pereyra 2017 T1)"),
            new("LeNet-5", 0, "–"),
            new("LeNet-5", 0.1, "–"),
        ];
        Console.WriteLine($"# Published rows on MNIST\n\n{Machine.Describe()}.\n");
        Console.WriteLine(
            $"Ours: {epochs} epochs on 54,000 images (6,000 kept out to fit the temperature), batch 128, Adam, learning rate 0.001 "
                + $"down a cosine, no dropout, no weight decay, images as they are; {seeds} seeds, mean ± 95 % interval over seeds, test "
                + "set, 15 bins.\n"
        );
        Console.WriteLine(
            "| network | ε | error % | published error % | ECE | signed gap | T | ECE after T |\n|---|---|---|---|---|---|---|---|"
        );
        foreach (var row in rows)
        {
            var runs = new List<Run>();
            for (var seed = 0; seed < seeds; seed++)
                runs.Add(await TrainAsync(api, Spec(row, epochs, seed)));
            string Of(Func<Run, double> figure, string format)
            {
                var (mean, half) = runs.Select(figure).ToList().Interval();
                return $"{mean.ToString(format)} ± {half.ToString(format)}";
            }
            Console.WriteLine(
                $"| {row.Network} | {row.Epsilon} | {Of(run => run.ErrorPercent, "F2")} | {row.Error} | "
                    + $"{Of(run => run.Ece, "F4")} | {Of(run => run.SignedGap, "F4")} | {Of(run => run.Temperature, "F2")} | "
                    + $"{Of(run => run.EceAfter, "F4")} |"
            );
        }
        Directory.Delete(home, recursive: true);
    }

    private static object Spec(Row row, int epochs, int seed) =>
        row.Network switch
        {
            "2×1200" => new
            {
                dataset = "mnist",
                epsilon = row.Epsilon,
                epochs,
                seed,
                schedule = "cosine",
                model = "mlp",
                widths = new[] { 1200, 1200 },
            },
            "2×1024" => new
            {
                dataset = "mnist",
                epsilon = row.Epsilon,
                epochs,
                seed,
                schedule = "cosine",
                model = "mlp",
                widths = new[] { 1024, 1024 },
            },
            _ => new
            {
                dataset = "mnist",
                epsilon = row.Epsilon,
                epochs,
                seed,
                schedule = "cosine",
                model = "lenet5",
            },
        };

    private static async Task<Run> TrainAsync(ApiProcess api, object spec)
    {
        var id = await api.SubmitAsync(spec);
        var job = await api.FinishedJobAsync(id, TimeSpan.FromHours(2));
        if (job["result"] is not { } result)
            throw new InvalidOperationException(job.ToJsonString());
        var report = await api.GetAsync($"/jobs/{id}/calibration?resamples=0");
        double Of(JsonNode node) => node.GetValue<double>();
        return new(
            100 * (1 - Of(result["testAccuracy"]!)),
            Of(result["testEce"]!),
            Of(result["testSignedGap"]!),
            Of(report["temperatureFit"]!["temperature"]!),
            Of(report["after"]!["ece"]!["value"]!)
        );
    }
}
