using System.Diagnostics;
using Temper.Domain.Jobs;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Messages;
using Temper.Worker.Training;
using Temper.Worker.Training.Models;

namespace Temper.Bench;

/// <summary>Compares the epochs that jobs keep, and times what keeping costs. It trains in this process.</summary>
internal static class KeptEpochs
{
    private static readonly KeepName[] Names = Enum.GetValues<KeepName>();

    public static void Run(int seeds)
    {
        Libtorch.UseThreads(Environment.ProcessorCount);
        Libtorch.KeepFreedMemory();
        Console.WriteLine($"# Which epoch's weights are kept\n\n{Machine.Describe()}\n");
        Compare(seeds, epochs: 30);
        Cost(calls: 50);
    }

    private static void Cost(int calls)
    {
        var seconds = new List<double>();
        var spec = new JobSpec
        {
            Dataset = "mnist",
            Epsilon = 0,
            Epochs = 3,
        };
        var finished = TrainingResults.Train(spec, seconds: seconds);
        var validation = finished.Model.Logits!.Validation();
        using var model = ModelFactory.Create(spec, spec.DatasetCard()!);
        var (fits, copies) = (new List<double>(), new List<double>());
        for (var call = 0; call < calls; call++)
        {
            fits.Add(Milliseconds(() => Scores.NllAfterTemperature(validation)));
            copies.Add(Milliseconds(() => BestEpoch.After(null, 1, 0, model)));
        }
        var epoch = 1000 * seconds.Median();
        Console.WriteLine(
            $"\n## Cost\n\nAn epoch of the CNN on MNIST took {seconds.Spread("F1")} s. The loss after temperature "
                + $"of {validation.Count} images took {fits.Spread("F1")} ms, {fits.Median() / epoch:P2} of it, the first call "
                + $"{fits[0]:F1} ms; a copy of the weights {copies.Spread("F1")} ms, {copies.Median() / epoch:P2}.\n"
        );
    }

    private static double Milliseconds(Action action)
    {
        var clock = Stopwatch.StartNew();
        action();
        return clock.Elapsed.TotalMilliseconds;
    }

    private static void Compare(int seeds, int epochs)
    {
        var digits = DigitsDataset.Draw(new());
        Console.WriteLine(
            $"## digits, {epochs} epochs (over-fitted), hard labels, an MLP of two layers of 256 units\n\n"
                + "On the test set; T is fitted on validation.\n\n"
                + "| seed | keep | kept epoch | accuracy | NLL | NLL after T | T |\n|---|---|---|---|---|---|---|"
        );
        var runs = new Dictionary<KeepName, List<Finished>>();
        for (var seed = 0; seed < seeds; seed++)
            foreach (var keep in Names)
            {
                var run = Train(digits, keep, seed, epochs);
                (runs.TryGetValue(keep, out var known) ? known : runs[keep] = []).Add(run);
                var test = run.Model.Scores!.Test;
                Console.WriteLine(
                    $"| {seed} | {keep} | {run.Result.KeptEpoch} | {test.Accuracy:F4} | {test.Nll:F4} | {test.NllAfterTemperature:F4} "
                        + $"| {run.Model.Scores.Temperature:F3} |"
                );
            }
        Console.WriteLine("\n| keep | accuracy | NLL | NLL after T |\n|---|---|---|---|");
        foreach (var keep in Names)
            Console.WriteLine(
                $"| {keep} | {Mean(keep, s => s.Accuracy)} | {Mean(keep, s => s.Nll)} | {Mean(keep, s => s.NllAfterTemperature)} |"
            );

        string Mean(KeepName keep, Func<SplitScores, double> figure)
        {
            var (mean, half) = runs[keep].Select(run => figure(run.Model.Scores!.Test)).ToList().Interval();
            return $"{mean:F4} ± {half:F4}";
        }
    }

    private static Finished Train(Dataset digits, KeepName keep, int seed, int epochs) =>
        TrainingLoop.Run(
            new()
            {
                Dataset = "digits",
                Model = ModelName.Mlp,
                Widths = [256, 256],
                Epsilon = 0,
                Epochs = epochs,
                Seed = seed,
                Keep = keep,
            },
            digits,
            torch.CPU,
            saved: null,
            TimeSpan.MaxValue,
            _ => { },
            CancellationToken.None
        );
}
