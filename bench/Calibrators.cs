using System.Diagnostics;
using System.Globalization;
using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Calibration.Measures;
using Temper.Domain.Jobs;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Training;

namespace Temper.Bench;

/// <summary>
/// Compares calibrators and estimators of calibration error with the truth. `digits` knows from which distribution each label was
/// drawn, so labels can be drawn again and errors have known values.
/// </summary>
internal static class Calibrators
{
    private static readonly int[] Counts = [200, 500, 1000, 2000, 5000];

    /// <summary>Sizes of a run.</summary>
    /// <param name="Seeds">Trainings of each model and ε.</param>
    /// <param name="Truth">Images for the true errors, a multiple of <paramref name="Part"/>.</param>
    /// <param name="Pool">Images from which the samples are drawn; more than the largest of them.</param>
    /// <param name="Part">Images that are drawn at a time.</param>
    /// <param name="Draws">Samples of each size for the estimators.</param>
    /// <param name="Fits">Samples of each size on which the calibrators are fitted.</param>
    /// <param name="Judged">Images on which the calibrators are judged, the first ones of the truth.</param>
    private sealed record Sizes(int Seeds, int Truth, int Pool, int Part, int Draws, int Fits, int Judged)
    {
        public const int Epochs = 10;
    }

    /// <summary>A trained model with its logits and the label distributions of its images.</summary>
    /// <param name="Temperature">T, fitted on the validation split of the training.</param>
    private sealed record Model(
        ModelName Name,
        double Epsilon,
        int Seed,
        double Temperature,
        LabelledLogits Truth,
        Blend[] TrueBlends,
        LabelledLogits Pool,
        Blend[] PoolBlends
    );

    /// <summary>The mean and the standard deviation of a figure over the samples of one size from one model.</summary>
    /// <param name="Truth">What the figure estimates; 0 for a distance to the truth.</param>
    private sealed record Cell(
        string Figure,
        string Name,
        Model Model,
        string State,
        int Images,
        double Truth,
        double Mean,
        double Deviation
    )
    {
        public double Bias => Mean - Truth;

        public double SquaredError => Bias * Bias + Deviation * Deviation;
    }

    /// <param name="csv">Path of the file that receives the cells.</param>
    public static void Run(string csv, bool quick)
    {
        var sizes = quick ? new Sizes(1, 12_000, 6000, 6000, 5, 1, 2000) : new Sizes(2, 120_000, 40_000, 40_000, 400, 16, 20_000);
        Libtorch.UseThreads(1); // with other numbers of threads the models differ a little
        Libtorch.KeepFreedMemory();
        var clock = Stopwatch.StartNew();
        Console.WriteLine(
            $"# Calibrators and estimators of calibration error against the truth\n\n{Machine.Describe()}; {Libtorch.Description}\n"
        );
        var models = Trained(sizes);
        Console.WriteLine(
            $"`digits`, {Sizes.Epochs} epochs, defaults otherwise; {models.Count} trainings. Truth from {sizes.Truth} images, samples from "
                + $"{sizes.Pool} others with labels drawn anew: {sizes.Draws} a size for the estimators, {sizes.Fits} for the calibrators, "
                + $"which are judged on {sizes.Judged} images. 15 bins, netcal 10. Training: {clock.Elapsed.TotalSeconds:F0} s.\n"
        );
        var cells = new List<Cell>();
        Console.WriteLine(
            "| model | ε | seed | accuracy | T | probabilities | true ECE | its error | true ℓ2 | its error | true classwise ECE | "
                + "its error | smooth ECE of all |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        );
        foreach (var model in models)
            cells.AddRange(Estimators(model, sizes));
        Console.WriteLine();
        WriteEstimators(cells);
        Console.WriteLine($"Estimators: after {clock.Elapsed.TotalSeconds:F0} s.\n");
        foreach (var model in models)
            cells.AddRange(Calibrated(model, sizes));
        WriteCalibrators(cells, models.Count);
        WriteCosts(quick ? 3 : 30);
        Console.WriteLine($"\n{clock.Elapsed.TotalSeconds:F0} s in all.");
        WriteCells(csv, cells);
    }

    private static List<Model> Trained(Sizes sizes)
    {
        List<LabelledImages> parts = [];
        for (var part = 0; part < (sizes.Truth + sizes.Pool) / sizes.Part; part++)
            parts.Add(DigitsDataset.Draw(new(Images: sizes.Part), seed: part + 1).Train);
        Blend[] blends = [.. parts.SelectMany(part => part.Blends!)];
        var images = new LabelledImages([.. parts.SelectMany(part => part.Pixels)], [.. parts.SelectMany(part => part.Labels)], blends);
        var digits = DigitsDataset.Draw(new()) with { Test = images };
        var (truth, pool) = (Enumerable.Range(0, sizes.Truth).ToArray(), Enumerable.Range(sizes.Truth, sizes.Pool).ToArray());
        List<Model> models = [];
        foreach (var name in new[] { ModelName.Cnn, ModelName.Mlp })
        foreach (var epsilon in new[] { 0, 0.1 })
            for (var seed = 0; seed < sizes.Seeds; seed++)
            {
                var spec = new JobSpec
                {
                    Dataset = "digits",
                    Model = name,
                    Epsilon = epsilon,
                    Epochs = Sizes.Epochs,
                    Seed = seed,
                };
                var finished = TrainingLoop.Run(spec, digits, torch.CPU, saved: null, TimeSpan.MaxValue, _ => { }, CancellationToken.None);
                var (logits, test) = (finished.Model.Logits!, finished.Model.Logits!.Test());
                var temperature = TemperatureFit.On(logits.Validation()).Temperature;
                models.Add(
                    new(name, epsilon, seed, temperature, test.At(truth), blends[..sizes.Truth], test.At(pool), blends[sizes.Truth..])
                );
            }
        return models;
    }

    /// <summary>A sample of the pool with labels drawn anew.</summary>
    private static LabelledLogits Sample(Model model, int count, int draw)
    {
        var random = new SplitMix64(draw, (ulong)count);
        int[] order = [.. Enumerable.Range(0, model.Pool.Count)];
        random.Shuffle<int>(order);
        var images = model.Pool.At(order[..count]);
        int[] labels =
        [
            .. order
                .Take(count)
                .Select(i => model.PoolBlends[i])
                .Select(blend => (int)(random.NextDouble() < blend.Weight ? blend.First : blend.Second)),
        ];
        return new(images.Logits, labels, images.Classes);
    }

    private static readonly (string Name, Func<TrueErrors, double> Truth)[] Names =
    [
        ("ECE guo", truth => truth.Ece.Value),
        ("ECE torchmetrics", truth => truth.Ece.Value),
        ("ECE netcal", truth => truth.Ece.Value),
        ("debiased ECE", truth => truth.Ece.Value),
        ("equal-mass ECE", truth => truth.Ece.Value),
        ("debiased equal-mass ECE", truth => truth.Ece.Value),
        ("smooth ECE", truth => truth.Ece.Value),
        ("ℓ2", truth => truth.L2.Value),
        ("debiased ℓ2", truth => truth.L2.Value),
        ("ℓ2 of `measures`", truth => truth.L2.Value),
        ("√CORP", truth => truth.L2.Value),
        ("classwise ECE", truth => truth.Classwise.Value),
        ("debiased classwise ECE", truth => truth.Classwise.Value),
    ];

    /// <returns>In the order of <see cref="Names"/>.</returns>
    private static double[] Estimates(LabelledLogits images, double temperature)
    {
        var predictions = Predictions.Of(images, temperature);
        var errors = new CalibrationErrors(predictions, Binning.Guo.DefaultCount(), Binning.Guo);
        var tools = BinningReceipt.Of(predictions).Values.ToDictionary(value => value.Binning, value => value.Ece);
        return
        [
            errors.Ece,
            tools[Binning.Torchmetrics],
            tools[Binning.Netcal],
            CalibrationError.DebiasedExpected(errors.EqualWidth),
            CalibrationError.Expected(errors.EqualMass),
            CalibrationError.DebiasedExpected(errors.EqualMass),
            errors.SmoothEce,
            CalibrationError.L2(errors.EqualMass),
            CalibrationError.DebiasedL2(errors.EqualMass),
            L2Interval.Of(predictions, errors.Order, errors.Bins)!.Value,
            Math.Sqrt(Math.Max(CorpReliability.Of(predictions, errors.Order, 0, 0).Miscalibration, 0)),
            errors.Classwise.Expected,
            errors.Classwise.DebiasedExpected,
        ];
    }

    private static IEnumerable<Cell> Estimators(Model model, Sizes sizes)
    {
        foreach (var (state, temperature) in new[] { ("trained", 1.0), ("tempered", model.Temperature) })
        {
            var truth = TrueErrors.Of(model.Truth, model.TrueBlends, temperature);
            Console.WriteLine(
                $"| {Short(model)} | {model.Temperature:F2} | {state} | {truth.Ece.Value:F4} | {truth.Ece.Error:F4} | "
                    + $"{truth.L2.Value:F4} | {truth.L2.Error:F4} | "
                    + $"{truth.Classwise.Value:F4} | {truth.Classwise.Error:F4} | {truth.Smooth:F4} |"
            );
            foreach (var count in Counts)
            {
                var estimates = new double[sizes.Draws][];
                Parallel.For(0, sizes.Draws, draw => estimates[draw] = Estimates(Sample(model, count, draw), temperature));
                for (var e = 0; e < Names.Length; e++)
                {
                    var (mean, deviation) = Moments([.. estimates.Select(one => one[e])]);
                    yield return new("estimate", Names[e].Name, model, state, count, Names[e].Truth(truth), mean, deviation);
                }
            }
        }
    }

    private static string Short(Model model) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{model.Name.ToString().ToLowerInvariant()} | {model.Epsilon} | {model.Seed} | {Predictions.Of(model.Truth).Accuracy:F4}"
        );

    /// <summary>The calibration errors of a model, from the label distributions of many images.</summary>
    /// <param name="Smooth">Smooth ECE with the true probabilities in place of hits.</param>
    private sealed record TrueErrors(
        (double Value, double Error) Ece,
        (double Value, double Error) L2,
        (double Value, double Error) Classwise,
        double Smooth
    )
    {
        private const int Bins = 50;

        public static TrueErrors Of(LabelledLogits images, Blend[] blends, double temperature)
        {
            var predictions = Predictions.Of(images, temperature);
            double[] truth = [.. predictions.Predicted.Select((predicted, i) => blends[i].ProbabilityOf(predicted))];
            var (ece, l2) = Errors(predictions.Confidences, truth);
            double[][] classes = [.. Enumerable.Range(0, images.Classes).Select(_ => new double[images.Count])];
            var row = new double[images.Classes];
            for (var i = 0; i < images.Count; i++)
            {
                predictions.Softmax(i, row);
                for (var k = 0; k < row.Length; k++)
                    classes[k][i] = row[k];
            }
            (double Value, double Error)[] each =
            [
                .. classes.Select((probabilities, k) => Errors(probabilities, [.. blends.Select(blend => blend.ProbabilityOf(k))]).Ece),
            ];
            return new(
                ece,
                l2,
                (each.Average(one => one.Value), each.Average(one => one.Error)),
                SmoothCalibrationError.Of(predictions.Confidences, truth).Observed
            );
        }

        /// <summary>
        /// Over bins of equal mass. The plain ECE is at least the true one on average, and the one with each half's signs on the
        /// other half's gaps at most: the value is their middle, the error half of their distance. ℓ2 is the root of the sum without
        /// bias, its error a standard error.
        /// </summary>
        private static ((double Value, double Error) Ece, (double Value, double Error) L2) Errors(double[] confidences, double[] truth)
        {
            var order = new ConfidenceOrder(confidences).Index;
            double above = 0,
                below = 0,
                square = 0,
                variance = 0;
            for (var bin = 0; bin < Bins; bin++)
            {
                int first = (int)((long)bin * order.Length / Bins),
                    end = (int)((long)(bin + 1) * order.Length / Bins);
                var weight = (double)(end - first) / order.Length;
                double[] gaps = [.. order[first..end].Select(i => truth[i] - confidences[i])];
                var (mean, deviation) = Moments(gaps);
                double even = gaps.Where((_, i) => i % 2 == 0).Average(),
                    odd = gaps.Where((_, i) => i % 2 == 1).Average();
                var noise = deviation * deviation / gaps.Length;
                above += weight * Math.Abs(mean);
                below += weight * (Math.Sign(even) * odd + Math.Sign(odd) * even) / 2;
                square += weight * (mean * mean - noise);
                variance += weight * weight * (4 * mean * mean * noise + 2 * noise * noise);
            }
            var l2 = Math.Sqrt(Math.Max(square, 0));
            return (((above + below) / 2, Math.Abs(above - below) / 2), (l2, Math.Sqrt(variance) / (2 * l2)));
        }
    }

    /// <summary>The mean KL divergence and the mean L1 distance of each calibrator to the label distributions.</summary>
    private static IEnumerable<Cell> Calibrated(Model model, Sizes sizes)
    {
        var blends = model.TrueBlends[..sizes.Judged];
        var logits = model.Truth.Logits[..(sizes.Judged * model.Truth.Classes)];
        LabelledLogits first = new(logits, [.. blends.Select(blend => (int)blend.First)], model.Truth.Classes),
            second = new(logits, [.. blends.Select(blend => (int)blend.Second)], model.Truth.Classes);
        foreach (var count in Counts)
        {
            var distances = new (double Kl, double L1)[sizes.Fits, Enum.GetValues<CalibratorName>().Length];
            Parallel.For(
                0,
                sizes.Fits,
                fit =>
                {
                    var images = Sample(model, count, 1000 + fit);
                    var temperature = TemperatureFit.On(images).Temperature;
                    foreach (var name in Enum.GetValues<CalibratorName>())
                    {
                        var calibrator = Calibrator.Fit(name, images, temperature, CancellationToken.None);
                        distances[fit, (int)name] = Distances(blends, calibrator.Losses(first), calibrator.Losses(second));
                    }
                }
            );
            foreach (var name in Enum.GetValues<CalibratorName>())
            {
                var each = Enumerable.Range(0, sizes.Fits).Select(fit => distances[fit, (int)name]).ToList();
                var word = char.ToLowerInvariant(name.ToString()[0]) + name.ToString()[1..];
                foreach (var (figure, values) in new[] { ("kl", each.Select(one => one.Kl)), ("l1", each.Select(one => one.L1)) })
                {
                    var (mean, deviation) = Moments([.. values]);
                    yield return new(figure, word, model, "fitted", count, 0, mean, deviation);
                }
            }
        }
    }

    /// <param name="first">−ln of the probability of each image's first class.</param>
    /// <param name="second">−ln of that of its second class; all other classes have the true probability 0.</param>
    private static (double Kl, double L1) Distances(Blend[] blends, double[] first, double[] second)
    {
        double kl = 0,
            l1 = 0;
        for (var i = 0; i < blends.Length; i++)
        {
            double weight = blends[i].Weight,
                rest = 1 - weight,
                one = Math.Exp(-first[i]),
                two = Math.Exp(-second[i]);
            kl += weight * (Math.Log(weight) + first[i]) + (rest > 0 ? rest * (Math.Log(rest) + second[i]) : 0);
            l1 += Math.Abs(weight - one) + Math.Abs(rest - two) + Math.Max(1 - one - two, 0);
        }
        return (kl / blends.Length, l1 / blends.Length);
    }

    private static (double Mean, double Deviation) Moments(double[] values)
    {
        var mean = values.Average();
        var squares = values.Sum(value => (value - mean) * (value - mean));
        return (mean, Math.Sqrt(squares / Math.Max(1, values.Length - 1)));
    }

    private static void WriteEstimators(List<Cell> cells)
    {
        (string Title, Func<Cell, bool> Has)[] groups =
        [
            ("As trained, ε = 0", cell => cell is { State: "trained", Model.Epsilon: 0 }),
            ("As trained, ε = 0.1", cell => cell is { State: "trained", Model.Epsilon: > 0 }),
            ("After temperature, both ε", cell => cell.State == "tempered"),
        ];
        foreach (var (title, has) in groups)
        {
            Console.WriteLine($"**{title}: bias, and root mean squared error, of each estimator by the number of images**\n");
            Table(
                "estimator",
                [.. Names.Select(name => name.Name)],
                (name, count) =>
                {
                    var those = cells.Where(cell => cell.Name == name && cell.Images == count && has(cell)).ToList();
                    return $"{those.Average(cell => cell.Bias):+0.0000;−0.0000}, {Math.Sqrt(those.Average(cell => cell.SquaredError)):F4}";
                }
            );
        }
    }

    private static void WriteCalibrators(List<Cell> cells, int models)
    {
        string[] names = [.. cells.Where(cell => cell.Figure == "kl").Select(cell => cell.Name).Distinct()];
        foreach (var (figure, title) in new[] { ("kl", "Mean KL divergence, nats,"), ("l1", "Mean L1 distance") })
        {
            Console.WriteLine($"**{title} from the label distribution to the calibrated probabilities, by the number of fitted images**");
            Console.WriteLine($"In brackets: for how many of the {models} models it is the nearest.\n");
            Table(
                "calibrator",
                names,
                (name, count) =>
                {
                    var those = cells.Where(cell => cell.Figure == figure && cell.Images == count).ToLookup(cell => cell.Model);
                    var wins = those.Count(model => model.MinBy(cell => cell.Mean)!.Name == name);
                    return $"{those.Average(model => model.Single(cell => cell.Name == name).Mean):F4} ({wins})";
                }
            );
        }
    }

    private static void Table(string head, string[] names, Func<string, int, string> cell)
    {
        Markdown.Head([head, .. Counts.Select(count => $"{count}")]);
        foreach (var name in names)
            Markdown.Row([name, .. Counts.Select(count => cell(name, count))]);
        Console.WriteLine();
    }

    /// <summary>What the scores of a study cost at the end of a training.</summary>
    private static void WriteCosts(int rounds)
    {
        const int Images = 10_000;
        Console.WriteLine($"**Cost of a study's scores, {Images} images in each split; median of {rounds} rounds, ms**\n");
        Console.WriteLine("| classes | all scores of a job | debiased ECE | smooth ECE |\n|---|---|---|---|");
        foreach (var classes in new[] { 10, 100 })
        {
            var random = new SplitMix64(classes, 0);
            var logits = new LabelledLogits(
                [.. Enumerable.Range(0, Images * classes).Select(_ => (float)random.NextDouble(0, 12))],
                [.. Enumerable.Range(0, Images).Select(_ => random.NextInt32(classes))],
                classes
            );
            var predictions = Predictions.Of(logits);
            var bins = BinSums.EqualWidth(predictions.Confidences, predictions.Hits, 15, Binning.Guo);
            Console.WriteLine(
                $"| {classes} | {Median(rounds, () => Scores.Of(logits, logits)):F1} | "
                    + $"{Median(rounds, () => CalibrationError.DebiasedExpected(bins)):F3} | "
                    + $"{Median(rounds, () => SmoothCalibrationError.Of(predictions.Confidences, predictions.Hits)):F1} |"
            );
        }
    }

    private static double Median<T>(int rounds, Func<T> work)
    {
        work();
        double[] times =
        [
            .. Enumerable
                .Range(0, rounds)
                .Select(_ =>
                {
                    var start = Stopwatch.GetTimestamp();
                    work();
                    return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                })
                .Order(),
        ];
        return times[rounds / 2];
    }

    private static void WriteCells(string path, List<Cell> cells) =>
        File.WriteAllLines(
            path,
            cells
                .Select(cell =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{cell.Figure},{cell.Name},{cell.Model.Name.ToString().ToLowerInvariant()},{cell.Model.Epsilon},{cell.Model.Seed},"
                            + $"{cell.State},{cell.Images},{cell.Truth:F4},{cell.Mean:F4},{cell.Deviation:F4}"
                    )
                )
                .Prepend("figure,name,model,epsilon,seed,state,images,truth,mean,deviation")
        );
}
