using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Worker.Datasets;
using Temper.Worker.Training;

namespace Temper.Bench;

/// <summary>Trains with the recipes of papers on data that this machine has, and prints the figures of both.</summary>
internal static class Published
{
    /// <param name="Arm">What differs from the recipe, in words.</param>
    /// <param name="Error">The published error in percent; a dash where the source gives none for this arm and data set.</param>
    private sealed record Row(string Recipe, string Dataset, string Arm, Func<JobSpec, JobSpec> Change, string Error = "–");

    private static readonly Row[] Rows =
    [
        new("muller2019-mlp", "mnist", "hard labels, dropout 0.5", spec => spec with { Dropout = 0.5 }, "0.67, its dropout not given"),
        new("muller2019-mlp", "mnist", "ε = 0.1", spec => spec with { Epsilon = 0.1 }, "0.59"),
        new("muller2019-mlp", "mnist", "hard labels", spec => spec),
        new("pereyra2017-mlp", "mnist", "hard labels", spec => spec),
        new(
            "pereyra2017-mlp",
            "mnist",
            "hard labels, dropout 0.5, rate 0.05",
            spec => spec with { Dropout = 0.5 },
            "1.28, its dropout not given"
        ),
        new(
            "pereyra2017-mlp",
            "mnist",
            "hard labels, dropout 0.5, rate 0.001",
            spec => spec with { Dropout = 0.5, LearningRate = 0.001 },
            "1.28, its dropout not given"
        ),
        new("pereyra2017-mlp", "mnist", "ε = 0.1", spec => spec with { Epsilon = 0.1 }, "1.23 ± 0.06"),
        new(
            "pereyra2017-mlp",
            "mnist",
            "confidence penalty, β = 1",
            spec => spec with { Loss = LossName.ConfidencePenalty, Beta = 1 },
            "1.17 ± 0.06"
        ),
        new("guo2017-lenet5", "mnist", "hard labels", spec => spec),
        new("guo2017-lenet5", "mnist", "ε = 0.1", spec => spec with { Epsilon = 0.1 }),
        new("guo2017-lenet5", "digits", "hard labels", spec => spec),
        new("guo2017-lenet5", "digits", "ε = 0.1", spec => spec with { Epsilon = 0.1 }),
    ];

    /// <summary>Those of Guo et al. 2017, table 1; in the order of its columns.</summary>
    private static readonly CalibratorName[] CalibratorsOfGuo =
    [
        CalibratorName.None,
        CalibratorName.Temperature,
        CalibratorName.Vector,
        CalibratorName.Isotonic,
        CalibratorName.Histogram,
    ];

    private sealed record Figures(double Error, double SignedGap, double Temperature, double Nll, double NllAfter, double[] Eces);

    public static IReadOnlyList<string> RecipesUsed { get; } = [.. Rows.Select(row => row.Recipe).Distinct()];

    /// <param name="only">The recipe whose rows to train; null for all.</param>
    /// <param name="epochs">Null for those of the recipe.</param>
    public static void Run(string? only, int seeds, int? epochs)
    {
        Libtorch.UseThreads(1); // with other numbers of threads the models differ a little
        Libtorch.KeepFreedMemory();
        var options = WorkerOptions.From(new ConfigurationBuilder().AddEnvironmentVariables().Build());
        var loader = new DatasetLoader(options, Console.Error.WriteLine);
        Console.WriteLine($"{Machine.Describe()}; {Libtorch.Description}. Test set, 15 bins; errors and ECE in percent, NLL in nats.\n");
        Console.WriteLine(
            "| recipe | data | training | epochs | seed | error | published error | signed gap | NLL | T | NLL after T | "
                + "ECE | after T | vector | isotonic | histogram | minutes |\n"
                + "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        );
        foreach (var row in Rows.Where(row => only is null || row.Recipe == only))
            for (var seed = 0; seed < seeds; seed++)
            {
                var spec = row.Change(RecipeSpec.Of(row.Recipe, row.Dataset)) with { Seed = seed };
                if (epochs is { } fewer)
                    spec = spec with { Epochs = fewer };
                var dataset = loader.Load(row.Dataset, CancellationToken.None);
                var clock = Stopwatch.StartNew();
                Print(row, spec, Train(spec, dataset), clock.Elapsed);
            }
    }

    private static Figures Train(JobSpec spec, Dataset dataset)
    {
        var finished = TrainingLoop.Run(spec, dataset, torch.CPU, saved: null, TimeSpan.MaxValue, _ => { }, CancellationToken.None);
        var (validation, test) = (finished.Model.Logits!.Validation(), finished.Model.Logits!.Test());
        var temperature = TemperatureFit.On(validation).Temperature;
        var (before, after) = (Predictions.Of(test), Predictions.Of(test, temperature));
        return new(
            1 - before.Accuracy,
            before.SignedGap,
            temperature,
            before.Nll,
            after.Nll,
            [.. CalibratorsOfGuo.Select(name => Ece(Calibrator.Fit(name, validation, temperature, CancellationToken.None), test))]
        );
    }

    private static double Ece(Calibrator calibrator, LabelledLogits test)
    {
        var probabilities = calibrator.Probabilities(test.Logits, test.Classes);
        float[] logits = [.. probabilities.Select(p => (float)Math.Log(p))];
        return new CalibrationErrors(Predictions.Of(new(logits, test.Labels, test.Classes)), Binning.Guo.DefaultCount(), Binning.Guo).Ece;
    }

    private static void Print(Row row, JobSpec spec, Figures run, TimeSpan time)
    {
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {row.Recipe} | {row.Dataset} | {row.Arm} | {spec.Epochs} | {spec.Seed} | {100 * run.Error:F2} | {row.Error} | "
                    + $"{100 * run.SignedGap:F2} | {run.Nll:F4} | {run.Temperature:F2} | {run.NllAfter:F4} | "
                    + $"{string.Join(" | ", run.Eces.Select(ece => (100 * ece).ToString("F2", CultureInfo.InvariantCulture)))} | "
                    + $"{time.TotalMinutes:F1} |"
            )
        );
    }
}
