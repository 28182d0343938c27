using System.Diagnostics;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Bench;

/// <summary>Compares losses: by studies through the service, and by the time of their training.</summary>
internal static class Losses
{
    private static readonly object Grid = new
    {
        loss = new[] { "crossEntropy", "focal", "confidencePenalty", "marginSmoothing", "maxSuppression" },
        gammaSchedule = new[] { "constant", "flsd53" },
        gamma = new[] { 1, 2 },
        beta = new[] { 0.1, 0.3 },
        margin = new[] { 4, 8 },
        mixup = new[] { 0, 0.2 },
    };

    public static async Task RunAsync(bool quick)
    {
        Console.WriteLine($"# Losses\n\n{Machine.Describe()}\n");
        Time(quick ? 2 : 9);
        Console.WriteLine("One worker, 3 seeds; each row has the mean over the seeds ± half of its 95 % interval, on the test set.\n");
        await StudyRun.RunAsync(
            "digits: smoothing, focal and margin smoothing, 3 epochs",
            new
            {
                job = new { dataset = "digits", epochs = quick ? 1 : 3 },
                epsilons = new[] { 0, 0.05, 0.1 },
                grid = new
                {
                    loss = new[] { "crossEntropy", "focal", "marginSmoothing" },
                    gamma = new[] { 2, 3 },
                    margin = new[] { 6 },
                },
            }
        );
        if (quick)
            return;
        await StudyRun.RunAsync(
            "digits, over-fitted: every loss, with and without mixup, 15 epochs, by NLL",
            new
            {
                job = new { dataset = "digits", epochs = 15 },
                epsilons = new[] { 0, 0.05, 0.1 },
                grid = Grid,
                criterion = "nll",
            }
        );
        await StudyRun.RunAsync(
            "MNIST: every loss without mixup, 2 epochs, by NLL after temperature",
            new
            {
                job = new { dataset = "mnist", epochs = 2 },
                epsilons = new[] { 0, 0.05, 0.1 },
                grid = new
                {
                    loss = new[] { "crossEntropy", "focal", "confidencePenalty", "marginSmoothing", "maxSuppression" },
                    gammaSchedule = new[] { "constant", "flsd53" },
                },
            }
        );
    }

    /// <summary>Trains one epoch of MNIST with each loss in turn, beside one with cross-entropy.</summary>
    private static void Time(int rounds)
    {
        var plain = new JobSpec
        {
            Dataset = "mnist",
            Epsilon = 0,
            Epochs = 1,
        };
        (string Name, JobSpec Spec)[] specs =
        [
            ("focal", plain with { Loss = LossName.Focal }),
            ("focal, flsd53", plain with { Loss = LossName.Focal, GammaSchedule = GammaScheduleName.Flsd53 }),
            ("confidencePenalty", plain with { Loss = LossName.ConfidencePenalty }),
            ("marginSmoothing", plain with { Loss = LossName.MarginSmoothing }),
            ("maxSuppression", plain with { Loss = LossName.MaxSuppression, Epsilon = 0.1 }),
            ("crossEntropy, mixup", plain with { Mixup = 0.2 }),
        ];
        TrainingResults.Train(plain);
        var ratios = specs.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < rounds; round++)
        for (var i = 0; i < specs.Length; i++)
            ratios[i].Add(Seconds(specs[i].Spec) / Seconds(plain));
        Console.WriteLine(
            $"## Time\n\nOne epoch of the CNN on MNIST with its validation and test, ÷ the same with cross-entropy right after it, "
                + $"{rounds} rounds.\n\n| loss | time ÷ that of cross-entropy |\n|---|---|"
        );
        foreach (var (spec, i) in specs.Select((spec, i) => (spec, i)))
            Console.WriteLine($"| {spec.Name} | {ratios[i].Spread("F3")} |");
        Console.WriteLine();
    }

    private static double Seconds(JobSpec spec)
    {
        var clock = Stopwatch.StartNew();
        TrainingResults.Train(spec);
        return clock.Elapsed.TotalSeconds;
    }
}
