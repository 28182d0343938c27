using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Temper.Bench;

/// <summary>
/// Measures how fast the tutorial CNN trains on MNIST beside PyTorch, what the service adds to the loop, and whether the fused
/// kernels change the results.
/// </summary>
internal static class Training
{
    /// <summary>
    /// MFLOP of a training step per image by the definition: three times the forward pass, less the first layer's input gradient.
    /// </summary>
    private const double DenseMflop = 25.0;

    private const int Epochs = 2;

    public static IReadOnlyList<string> Parts { get; } = ["rates", "job", "memory", "jobs", "cold", "evaluation", "resnets", "results"];

    /// <param name="only">The part to run; all parts when null.</param>
    public static async Task RunAsync(bool quick, string? only)
    {
        bool Runs(string part) => only is null || only == part;
        Libtorch.UseThreads(Environment.ProcessorCount);
        Libtorch.KeepFreedMemory();
        Console.WriteLine(
            $"# Training the tutorial CNN on MNIST\n\n{Machine.Describe()}; {Libtorch.Description}; {await Peers.VersionAsync()}.\n"
        );
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        await using (var worker = await WorkerProcess.StartAsync(database.ConnectionString, home))
        {
            if (Runs("rates"))
                await RatesAsync(api, quick ? 2 : 9, quick ? 12_800 : 25_600);
            if (Runs("job"))
                await TrainingJob.ServiceAsync(api, quick ? 1 : 3);
            if (Runs("memory"))
                await TrainingMemory.MnistAsync(api, worker, quick ? 5 : 50);
        }
        if (Runs("memory"))
            await TrainingMemory.ResNetAsync();
        if (Runs("jobs"))
            TrainingMemory.ManyJobs(quick ? 20 : 100);
        if (Runs("cold"))
            await TrainingJob.ColdStartAsync(database, api, home, quick ? 2 : 5);
        if (Runs("evaluation"))
            TrainingResults.Evaluate(quick ? 2 : 5);
        if (Runs("resnets"))
            await TrainingResults.ResNetsAsync(quick ? 1 : 3, quick ? 5 : 20);
        if (Runs("results"))
            TrainingResults.Compare(quick ? 2 : 10);
        Directory.Delete(home, recursive: true);
    }

    private static async Task RatesAsync(ApiProcess api, int rounds, int images)
    {
        string folder = Peers.MnistFolder,
            count = $"{images}",
            cores = $"{Environment.ProcessorCount}";
        var tried = new List<(string[] Setting, double Rate)>();
        foreach (
            string[] setting in (string[][])
                [
                    [],
                    ["--threads", cores],
                    ["--workers", "2"],
                    ["--threads", cores, "--workers", "2"],
                ]
        )
            tried.Add((setting, await Peers.RunAsync(["stock", folder, count, .. setting])));
        var stock = tried.MaxBy(one => one.Rate).Setting;

        var sharps = new List<(string Threads, string Workers, string Described, double Rate)>();
        foreach (
            var (threads, workers, described) in new[]
            {
                ("0", "1", "defaults"),
                (cores, "1", $"{cores} threads"),
                (cores, "2", $"{cores} threads, 2 workers"),
            }
        )
            sharps.Add((threads, workers, described, await Peers.RunTorchSharpAsync("stock", folder, count, threads, workers)));
        var sharp = sharps.MaxBy(one => one.Rate);

        (string Name, Func<Task<double>> Run)[] contenders =
        [
            ("Temper, through the service", () => TrainAsync(api)),
            (
                $"PyTorch, torchvision's MNIST through a DataLoader ({Described(stock)})",
                () => Peers.RunAsync(["stock", folder, count, .. stock])
            ),
            ($"PyTorch, images in one tensor (--threads {cores})", () => Peers.RunAsync("resident", folder, count, "--threads", cores)),
            (
                $"the same, channels last, pooling before relu, malloc thresholds (--threads {cores})",
                () => Peers.RunAsync("tuned", folder, count, "--threads", cores)
            ),
            (
                $"TorchSharp, as its examples write it, with a DataLoader ({sharp.Described})",
                () => Peers.RunTorchSharpAsync("stock", folder, count, sharp.Threads, sharp.Workers)
            ),
        ];
        await TrainAsync(api); // makes the runner read the data
        var rates = contenders.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < rounds; round++)
        for (var i = 0; i < contenders.Length; i++)
            rates[i].Add(await contenders[i].Run());

        Console.WriteLine(
            $"## Rates\n\nBatch 128, Adam, ε 0.1. {rounds} rounds in turns, median (lowest–highest). Temper trains {Epochs} "
                + $"epochs of 54,000 images, the first step included, the others {images:N0} after 20 batches. The DataLoaders' "
                + "settings are the fastest of PyTorch's "
                + $"{string.Join(", ", tried.Select(one => $"{Described(one.Setting)}: {one.Rate:F0}"))}, and of TorchSharp's "
                + $"{string.Join(", ", sharps.Select(one => $"{one.Described}: {one.Rate:F0}"))}.\n"
        );
        Console.WriteLine("| | images/s | Temper ÷ it |\n|---|---|---|");
        for (var i = 0; i < contenders.Length; i++)
            Console.WriteLine(
                $"| {contenders[i].Name} | {rates[i].Spread("F0")} | {rates[0].Zip(rates[i], (ours, other) => ours / other).Spread("F2")} |"
            );
        Console.WriteLine($"\n{rates[0].Zip(rates[1], (ours, other) => ours / other).Median():F2}× stock\n");
        PrintArithmetic(rates[0].Median(), await Peers.RunAsync("sgemm", "--threads", cores));
    }

    private static string Described(string[] setting) => setting is [] ? "defaults" : string.Join(' ', setting);

    /// <returns>Images per second over all epochs of a job, from its first step on.</returns>
    private static async Task<double> TrainAsync(ApiProcess api)
    {
        var id = await api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = Epochs,
            }
        );
        // Polls slowly, because each request takes a little time from the training.
        while (!(await api.JobAsync(id))["isTerminal"]!.GetValue<bool>())
            await Task.Delay(1000);
        return Epochs
            / (await api.GetAsync($"/jobs/{id}/metrics"))["items"]!
                .AsArray()
                .Sum(epoch => 1 / epoch!["imagesPerSecond"]!.GetValue<double>());
    }

    private static void PrintArithmetic(double imagesPerSecond, double sgemm)
    {
        var alive = AliveShare();
        // The gradient of each window of the first layer is multiplied at the window's four positions, at three of them by zero.
        var forward = 28 * 28 * 9 * 32 + 16 * 49.0 * 32 * 64 + 3136 * 128 + 128 * 10;
        var backward = 14 * 14 * 32 * 4 * 9 + 7 * 7 * 64 * alive * 9 * 32 * 2 + 2 * (3136 * 128 + 128 * 10.0);
        var done = 2 * (forward + backward) / 1e6;
        double dense = imagesPerSecond * DenseMflop / 1000,
            real = imagesPerSecond * done / 1000;
        Console.WriteLine(
            $"An image takes {DenseMflop:F1} MFLOP by the definition and {done:F1} as done here: forward by Winograd's filtering, "
                + $"backward only what relu and maximum let through ({alive:P0} of the second layer's windows). That is {dense:F0} and "
                + $"{real:F0} GFLOP/s, {dense / sgemm:P0} and {real / sgemm:P0} of what sgemm reaches on this machine ({sgemm:F0} GFLOP/s, "
                + "2048×2048).\n"
        );
    }

    /// <summary>The share of the second layer's windows whose maximum is above 0 after an epoch.</summary>
    private static double AliveShare()
    {
        using var scope = NewDisposeScope();
        var weights = Weights(TrainingResults.Train(seed: 1, epochs: 1).Model.Weights);
        using var noGraph = no_grad();
        var x = TrainingResults.TestImages(1000);
        foreach (var (name, layer) in new[] { ("conv1", Conv2d(1, 32, 3, padding: 1)), ("conv2", Conv2d(32, 64, 3, padding: 1)) })
        {
            layer.weight.copy_(torch.tensor(weights[$"{name}.weight"], layer.weight.shape));
            layer.bias!.copy_(torch.tensor(weights[$"{name}.bias"], layer.bias.shape));
            x = Fused.ConvReluPool(x, layer);
        }
        return x.data<float>().ToArray().Average(value => value > 0 ? 1.0 : 0.0);
    }

    private static Dictionary<string, float[]> Weights(byte[] safetensors)
    {
        var data = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(safetensors);
        return JsonNode
            .Parse(safetensors.AsSpan(8, data - 8))!
            .AsObject()
            .Where(tensor => tensor.Key != "__metadata__")
            .ToDictionary(
                tensor => tensor.Key,
                tensor =>
                {
                    var offsets = tensor.Value!["data_offsets"]!.AsArray().Select(offset => data + offset!.GetValue<int>()).ToArray();
                    return MemoryMarshal.Cast<byte, float>(safetensors.AsSpan(offsets[0]..offsets[1])).ToArray();
                }
            );
    }
}
