using System.Diagnostics;
using System.Globalization;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Measures;

namespace Temper.Bench;

/// <summary>
/// Measures how often 95 % intervals cover a known truth, and how often the consistency test rejects a calibrated model.
/// </summary>
internal static class Coverage
{
    private const int Resamples = 1000;

    public static readonly string[] Parts = ["report", "l2"];

    /// <param name="only">One of <see cref="Parts"/>; null for both.</param>
    public static void Run(int trials, string? only)
    {
        Console.WriteLine($"# Coverage of the intervals, false alarms of the verdict\n\n{Machine.Describe()}\n");
        if (only is null or "report")
            Report(trials, images: 2000);
        if (only is null or "l2")
            L2(trials);
    }

    private static void Report(int trials, int images)
    {
        var truth = SimulatedLogits.Truth(1.5);
        var (accuracy, nll, gap, rejected, noticed) = (0, 0, 0, 0, 0);
        var clock = Stopwatch.StartNew();
        Parallel.For(
            0,
            trials,
            trial =>
            {
                var over = CalibrationAssessment.Of(
                    SimulatedLogits.Draw(images, 1.5, trial),
                    1,
                    null,
                    new(Binning.Guo, 15, Resamples, trial)
                );
                if (Covers(over.Accuracy, truth.Accuracy))
                    Interlocked.Increment(ref accuracy);
                if (Covers(over.Nll, truth.Nll))
                    Interlocked.Increment(ref nll);
                if (Covers(over.SignedGap, truth.SignedGap))
                    Interlocked.Increment(ref gap);
                if (over.Verdict!.PValue < Verdict.Level)
                    Interlocked.Increment(ref noticed);
                var calibrated = CalibrationAssessment.Of(
                    SimulatedLogits.Draw(images, 1, trial),
                    1,
                    null,
                    new(Binning.Guo, 15, Resamples, trial)
                );
                if (calibrated.Verdict!.PValue < Verdict.Level)
                    Interlocked.Increment(ref rejected);
            }
        );

        Console.WriteLine(
            $"{trials} draws of {images} images of {SimulatedLogits.Classes} classes from a simulated classifier whose truth is known "
                + $"(tests/Harness/SimulatedLogits.cs); {Resamples} resamples each; {clock.Elapsed.TotalSeconds:F0} s.\n"
        );
        Console.WriteLine("| | of the draws | wanted |\n|---|---|---|");
        Console.WriteLine($"| 95 % interval of accuracy covers the truth | {(double)accuracy / trials:P1} | 93–97 % |");
        Console.WriteLine($"| 95 % interval of NLL covers the truth | {(double)nll / trials:P1} | 93–97 % |");
        Console.WriteLine($"| 95 % interval of the signed gap covers the truth | {(double)gap / trials:P1} | 93–97 % |");
        Console.WriteLine($"| consistency test at 5 % rejects a calibrated model | {(double)rejected / trials:P1} | 3–7 % |");
        Console.WriteLine(
            $"| consistency test at 5 % rejects the over-confident one (logits × 1.5, gap {truth.SignedGap:+0.000}) | "
                + $"{(double)noticed / trials:P1} | |"
        );
    }

    private static void L2(int trials)
    {
        Console.WriteLine(
            $"""

            ## The interval of the ℓ2 error

            {trials} draws each, of two classes (tests/Harness/ShiftedLogits.cs), {Bins} bins of equal mass. The interval sees confidence
            and hit only, so K does not matter. "In bins" is the error that {Bins} bins see, and the interval's aim. Wanted: 93–97 %;
            above 95 % where the error is 0.

            """
        );
        Markdown.Head([
            "confidence c",
            "c − probability of a hit",
            "accuracy",
            "ℓ2 error",
            "in bins",
            .. Counts.SelectMany(count =>
                new[] { $"N = {count}: covers the error in bins", "lies below", "lies above", "covers the ℓ2 error" }
            ),
        ]);
        foreach (var (confidence, error, model) in Models)
            Markdown.Row([
                confidence,
                error,
                $"{model.Accuracy():F4}",
                $"{model.L2():F4}",
                $"{model.BinnedL2(Bins):F4}",
                .. Counts.SelectMany(count => Covered(model, trials, count)),
            ]);
    }

    private const int Bins = 15;

    private static readonly int[] Counts = [2_000, 10_000];

    private static readonly (string Confidence, string Error, ShiftedLogits Model)[] Models =
    [
        (Moderate, "0.05", ShiftedLogits.By(0.05)),
        (Moderate, "0.01", ShiftedLogits.By(0.01)),
        (Moderate, "0", ShiftedLogits.By(0)),
        (Moderate, "from 0 at the lowest c to 0.1", ShiftedLogits.By(0) with { Error = doubt => (0.35 - doubt) / 3 }),
        (Moderate, "from −0.05 at the lowest c to 0.05", ShiftedLogits.By(0) with { Error = doubt => (0.35 - doubt) / 3 - 0.05 }),
        (Moderate, "from −0.01 at the lowest c to 0.01", ShiftedLogits.By(0) with { Error = doubt => (0.2 - doubt) / 15 }),
        (High, "0", new(HighDoubt, _ => 0)),
        (High, "0.005", new(HighDoubt, _ => 0.005)),
        (High, "half of 1 − c", new(HighDoubt, doubt => doubt / 2)),
        (VeryHigh, "0", new(VeryHighDoubt, _ => 0)),
        (VeryHigh, "half of 1 − c", new(VeryHighDoubt, doubt => doubt / 2)),
        (VeryHigh, "a fifth of 1 − c", new(VeryHighDoubt, doubt => doubt / 5)),
    ];

    private const string Moderate = "uniform, 0.65 to 0.95",
        High = "uniform, 0.985 to 0.9995",
        VeryHigh = "1 − c log-uniform, 2·10⁻¹¹ to 0.2";

    private static double HighDoubt(double u) => 0.015 - 0.0145 * u;

    private static double VeryHighDoubt(double u) => 0.2 * Math.Pow(10, -10 * u);

    /// <returns>The shares of the intervals that contain the error in bins, that lie below and above it, and that contain the ℓ2
    /// error.</returns>
    private static IEnumerable<string> Covered(ShiftedLogits model, int trials, int images)
    {
        var (error, whole) = (model.BinnedL2(Bins), model.L2());
        var intervals = new Interval[trials];
        Parallel.For(
            0,
            trials,
            // A draw may use all cores itself. Without a bound, each thread that waits for it lets the pool start another draw.
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            trial =>
            {
                var predictions = Predictions.Of(model.Draw(images, trial));
                intervals[trial] = L2Interval.Of(predictions, new(predictions.Confidences), Bins)!.Interval;
            }
        );
        double low = intervals.Count(interval => interval.High < error),
            high = intervals.Count(interval => interval.Low > error),
            unbinned = intervals.Count(interval => interval.Low <= whole && whole <= interval.High);
        return new[] { trials - low - high, low, high, unbinned }.Select(count =>
            (count / trials).ToString("P1", CultureInfo.InvariantCulture)
        );
    }

    private static bool Covers(Estimate estimate, double truth) =>
        estimate.Interval!.Value.Low <= truth && truth <= estimate.Interval.Value.High;
}
