using System.Diagnostics;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Worker.Datasets;
using Temper.Worker.Messages;
using Temper.Worker.Training;
using Temper.Worker.Training.Models;

namespace Temper.Bench;

/// <summary>Trains in this process, to show whether the fused kernels change the results and how fast evaluation is.</summary>
internal static class TrainingResults
{
    private static readonly Dataset Mnist = new DatasetLoader(
        new WorkerOptions { Home = Path.GetTempPath(), DataFolder = Path.GetDirectoryName(Peers.MnistFolder) },
        _ => { }
    ).Load("mnist", CancellationToken.None);

    /// <param name="losses">Receives the training loss of each epoch.</param>
    public static Finished Train(int seed, int epochs, List<double>? losses = null) =>
        Train(
            new JobSpec
            {
                Dataset = "mnist",
                Epsilon = 0.1,
                Epochs = epochs,
                Seed = seed,
            },
            losses
        );

    /// <param name="spec">Of a job on MNIST.</param>
    /// <param name="losses">Receives the training loss of each epoch.</param>
    /// <param name="seconds">Receives the time of each epoch.</param>
    public static Finished Train(JobSpec spec, List<double>? losses = null, List<double>? seconds = null) =>
        TrainingLoop.Run(
            spec,
            Mnist,
            torch.CPU,
            saved: null,
            TimeSpan.MaxValue,
            message =>
            {
                if (message is not EpochDone epoch)
                    return;
                losses?.Add(epoch.Metrics.TrainLoss);
                seconds?.Add(epoch.Metrics.Seconds);
            },
            CancellationToken.None
        );

    /// <returns>Test images, N×1×28×28, normalized; the caller's scope disposes of them.</returns>
    public static Tensor TestImages(int count)
    {
        using var images = new ResidentImages(Mnist, Mnist.Test, new long[Mnist.Test.Count], Normalization.Of(Mnist), torch.CPU);
        return images.Batch(torch.tensor(Enumerable.Range(0, count).Select(i => (long)i).ToArray(), [count]));
    }

    public static void Evaluate(int rounds)
    {
        using var model = ModelFactory.Create(
            new()
            {
                Dataset = Mnist.Card.Name,
                Epsilon = 0,
                Epochs = 1,
            },
            Mnist.Card
        );
        using var images = new ResidentImages(Mnist, Mnist.Train, new long[Mnist.Train.Count], Normalization.Of(Mnist), torch.CPU);
        var all = Enumerable.Range(0, Mnist.Train.Count).Select(i => (long)i).ToArray();
        var (evaluating, ratios) = (new List<double>(), new List<double>());
        for (var round = 0; round < rounds; round++)
        {
            var clock = Stopwatch.StartNew();
            Evaluator.Logits(model, images, all, Mnist.Card.Classes, () => { }, CancellationToken.None);
            evaluating.Add(all.Length / clock.Elapsed.TotalSeconds);
            clock.Restart();
            Train(seed: 1, epochs: 1);
            ratios.Add(evaluating[^1] * clock.Elapsed.TotalSeconds / 54_000);
        }
        Console.WriteLine(
            $"## Evaluation\n\n{evaluating.Spread("F0")} images/s, {ratios.Spread("F2")} times the rate of training in the same "
                + "process, in turns.\n"
        );
    }

    /// <summary>
    /// Measures the residual networks on random images of CIFAR's size. The rate does not depend on the images' content.
    /// </summary>
    public static async Task ResNetsAsync(int rounds, int batches)
    {
        Console.WriteLine(
            "## Residual networks\n\nRandom 3×32×32 images, batch 128, SGD with Nesterov momentum and weight decay; PyTorch and "
                + $"TorchSharp with channels last and malloc thresholds, {Environment.ProcessorCount} threads; {rounds} rounds in turns.\n"
        );
        Console.WriteLine(
            "| | Temper, images/s | PyTorch, images/s | Temper ÷ it | TorchSharp, images/s | Temper ÷ it |\n|---|---|---|---|---|---|"
        );
        foreach (var (model, depth) in new[] { (ModelName.Resnet20, 20), (ModelName.Resnet56, 56) })
        {
            var count = batches * 128 * 20 / depth;
            var (ours, pytorch, torchSharp) = (new List<double>(), new List<double>(), new List<double>());
            for (var round = 0; round < rounds; round++)
            {
                ours.Add(TrainOnRandomImages(model, count));
                pytorch.Add(await Peers.RunAsync("resnet", $"{depth}", $"{count}", "--threads", $"{Environment.ProcessorCount}"));
                torchSharp.Add(await Peers.RunTorchSharpAsync("resnet", $"{depth}", $"{count}", $"{Environment.ProcessorCount}"));
            }
            Console.WriteLine(
                $"| resnet{depth} | {ours.Spread("F0")} | {pytorch.Spread("F0")} | {Ratio(pytorch)} | {torchSharp.Spread("F0")} "
                    + $"| {Ratio(torchSharp)} |"
            );

            string Ratio(List<double> others) => ours.Zip(others, (a, b) => a / b).Spread("F2");
        }
        Console.WriteLine();
    }

    /// <returns>Images per second of the second epoch.</returns>
    public static double TrainOnRandomImages(ModelName model, int count)
    {
        var card = DatasetCatalog.Find("cifar10")!;
        LabelledImages Draw(int images)
        {
            var drawn = new LabelledImages(new byte[images * 3 * 32 * 32], new ushort[images]);
            Random.Shared.NextBytes(drawn.Pixels);
            for (var i = 0; i < images; i++)
                drawn.Labels[i] = (ushort)(i % 10);
            return drawn;
        }
        var spec = new JobSpec
        {
            Dataset = card.Name,
            Epsilon = 0.1,
            Epochs = 2,
            Model = model,
            Optimizer = OptimizerName.Sgd,
            LearningRate = 0.1,
            WeightDecay = 1e-4,
            ValidationFraction = 0.01,
        };
        var rate = 0.0;
        TrainingLoop.Run(
            spec,
            new Dataset(card, Draw(count), Draw(10), []),
            torch.CPU,
            saved: null,
            TimeSpan.MaxValue,
            message => rate = message is EpochDone epoch ? epoch.Metrics.ImagesPerSecond : rate,
            CancellationToken.None
        );
        return rate;
    }

    /// <summary>Compares the fused kernels with libtorch's own operations, seed by seed.</summary>
    public static void Compare(int seeds)
    {
        const int epochs = 2;
        var (fused, plain, losses) = (
            new List<JobResult>(),
            new List<JobResult>(),
            new List<(double Fused, double Plain, double OneThread)>()
        );
        for (var seed = 1; seed <= seeds; seed++)
        {
            var (ours, theirs, other) = (new List<double>(), new List<double>(), new List<double>());
            fused.Add(Train(seed, epochs, ours).Result);
            KernelLibrary.LimitLanes(0);
            plain.Add(Train(seed, epochs, theirs).Result);
            if (seed <= 2)
            {
                Libtorch.UseThreads(1);
                Train(seed, 1, other);
                Libtorch.UseThreads(Environment.ProcessorCount);
            }
            KernelLibrary.LimitLanes(16);
            losses.Add((ours[0], theirs[0], other.FirstOrDefault(double.NaN)));
        }
        Console.WriteLine(
            $"## The same results\n\nFused kernels against libtorch's own convolution, pooling, relu and linear layers: {seeds} "
                + $"seeds, {epochs} epochs, the same images in the same order. Differences by seed, fused − plain, mean ± half of the 95 % "
                + "interval:\n"
        );
        Console.WriteLine("| | fused, mean | difference |\n|---|---|---|");
        foreach (
            var (name, figure) in new (string, Func<JobResult, double>)[]
            {
                ("test accuracy", r => r.TestAccuracy),
                ("test NLL", r => r.TestLoss),
                ("test ECE", r => r.TestEce),
                ("signed gap", r => r.TestSignedGap),
            }
        )
        {
            var (mean, half) = fused.Zip(plain, (a, b) => figure(a) - figure(b)).ToList().Interval();
            Console.WriteLine(
                $"| {name} | {fused.Average(figure):F4} | {mean:+0.00000;-0.00000} ± "
                    + $"{half:F5}{(Math.Abs(mean) <= half ? "" : " **not 0**")} |"
            );
        }
        var yardstick = losses.Where(loss => !double.IsNaN(loss.OneThread)).Max(loss => Math.Abs(loss.OneThread - loss.Plain) / loss.Plain);
        Console.WriteLine(
            "\nMean training loss of the first epoch: the two differ by at most "
                + $"{losses.Max(loss => Math.Abs(loss.Fused - loss.Plain) / loss.Plain):E1} of it; libtorch on one thread and on "
                + $"{Environment.ProcessorCount}, which only rounds its sums in another order, by {yardstick:E1}."
        );
    }
}
