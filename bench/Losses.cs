using System.Diagnostics;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Bench;

/// <summary>Compares losses: by studies through the service, and by the time of their training.</summary>
internal static class Losses
{
    public static readonly string[] Parts = ["time", "answer", "digits", "mnist"];

    /// <param name="only">One of <see cref="Parts"/>; null for all.</param>
    public static async Task RunAsync(bool quick, string? only)
    {
        bool Wants(string part) => only is null || only == part;
        Console.WriteLine($"# Losses\n\n{Machine.Describe()}\n");
        if (Wants("time"))
            Time(quick ? 2 : 5);
        Console.WriteLine("One worker, 3 seeds; each row has the mean over the seeds ± half of its 95 % interval, on the test set.\n");
        if (Wants("answer"))
            await StudyRun.RunAsync(
                "digits, 3 epochs: smoothing, focal and margin smoothing, by NLL after temperature",
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
        if (Wants("digits") && !quick)
            await StudyRun.RunAsync(
                "digits, 10 epochs (over-fitted): every loss, with and without mixup, by NLL",
                new
                {
                    job = new { dataset = "digits", epochs = 10 },
                    epsilons = new[] { 0, 0.05, 0.1 },
                    grid = new
                    {
                        loss = Names,
                        gammaSchedule = Schedules,
                        mixup = new[] { 0, 0.2 },
                    },
                    criterion = "nll",
                }
            );
        if (Wants("mnist") && !quick)
            await StudyRun.RunAsync(
                "MNIST, 2 epochs: every loss, by NLL after temperature",
                new
                {
                    job = new { dataset = "mnist", epochs = 2 },
                    epsilons = new[] { 0, 0.05, 0.1 },
                    grid = new { loss = Names, gammaSchedule = Schedules },
                }
            );
    }

    private static readonly string[] Names = ["crossEntropy", "focal", "confidencePenalty", "marginSmoothing", "maxSuppression"],
        Schedules = ["constant", "flsd53"];

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
        Libtorch.UseThreads(Environment.ProcessorCount);
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
