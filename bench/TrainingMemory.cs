using Temper.Domain.Jobs;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Training;

namespace Temper.Bench;

/// <summary>Measures the memory of training: a runner on MNIST, a residual network, and many jobs in one process.</summary>
internal static class TrainingMemory
{
    public static async Task MnistAsync(ApiProcess api, WorkerProcess worker, int epochs)
    {
        var id = await api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs,
            }
        );
        var megabytes = new SortedDictionary<int, double>();
        while (!(await api.JobAsync(id))["isTerminal"]!.GetValue<bool>())
        {
            await Task.Delay(1000);
            if ((await api.JobAsync(id))["progress"] is { } progress && worker.Runners() is [var runner])
                megabytes[progress["epoch"]!.GetValue<int>()] = Status(runner, "VmRSS");
        }
        var peak = worker.Runners() is [var alive] ? Status(alive, "VmHWM") : double.NaN;
        var seen = megabytes.Keys.Where(epoch => epoch is 1 or 2 or 5 || epoch % 10 == 0 || epoch == megabytes.Keys.Max());
        Console.WriteLine(
            "## Memory of the runner on MNIST\n\nResident, MB: "
                + $"{string.Join(", ", seen.Select(epoch => $"epoch {epoch}: {megabytes[epoch]:F0}"))}; largest ever {peak:F0}.\n"
        );
    }

    public static async Task ResNetAsync() =>
        Console.WriteLine(
            "## Memory of a residual network\n\nresnet20 on 3×32×32 images at batch 128, in a process of its own, 2 epochs of "
                + $"20 batches: largest ever {await Peers.OwnProcessAsync("resnet-memory"):F0} MB.\n"
        );

    /// <summary>Prints the largest resident size of this process, in MB.</summary>
    public static void ResNet()
    {
        Libtorch.UseThreads(Environment.ProcessorCount);
        Libtorch.KeepFreedMemory();
        TrainingResults.TrainOnRandomImages(ModelName.Resnet20, 20 * 128);
        Console.WriteLine(Status(Environment.ProcessId, "VmHWM"));
    }

    /// <summary>Runs small jobs of two models in turns, one after another in this process, as in a runner.</summary>
    public static void ManyJobs(int jobs)
    {
        var digits = DigitsDataset.Draw(new());
        Console.WriteLine(
            $"## Many jobs in one process\n\n{jobs} jobs on `digits`, two epochs each, `cnn` and `lenet5` in turns. Tensors: those "
                + "that TorchSharp counts as alive, less one for every parameter ever made, which it counts twice when it is made and once "
                + "when it is disposed of.\n"
        );
        Console.WriteLine("| jobs | resident, MB | tensors |\n|---|---|---|");
        var (parameters, before) = (0L, Tensor.TotalCount);
        for (var job = 1; job <= jobs; job++)
        {
            var spec = new JobSpec
            {
                Dataset = "digits",
                Epsilon = 0.1,
                Epochs = 2,
                Seed = job,
                Model = job % 2 == 0 ? ModelName.Lenet5 : ModelName.Cnn,
            };
            TrainingLoop.Run(spec, digits, torch.CPU, saved: null, TimeSpan.MaxValue, _ => { }, CancellationToken.None);
            parameters += spec.Model == ModelName.Cnn ? 8 : 10;
            if (job != 1 && job % Math.Max(1, jobs / 10) != 0)
                continue;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Libtorch.ReleaseFreedMemory();
            Console.WriteLine($"| {job} | {Status(Environment.ProcessId, "VmRSS"):F0} | {Tensor.TotalCount - before - parameters} |");
        }
        Console.WriteLine();
    }

    private static double Status(int process, string field) =>
        double.Parse(
            File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(field, StringComparison.Ordinal)).Split(':', 'k')[1]
        ) / 1000;
}
