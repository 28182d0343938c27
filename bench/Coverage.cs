using System.Diagnostics;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Measures;

namespace Temper.Bench;

/// <summary>
/// Measures how often 95 % intervals cover a known truth, and how often the consistency test rejects a calibrated model.
/// </summary>
internal static class Coverage
{
    private const int Resamples = 1000;

    public static void Run(int trials, int images)
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

        const int ManyImages = 10_000;
        const double Shift = 0.05;
        var (few, many, none) = (L2Covered(trials, images, Shift), L2Covered(trials, ManyImages, Shift), L2Covered(trials, images, 0));

        Console.WriteLine($"# Coverage of the intervals, false alarms of the verdict\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            $"{trials} draws of {images} images, K = 5, from a simulated classifier whose truth is known "
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
        Console.WriteLine(
            $"| 95 % interval of the ℓ2 error covers {Shift}, {images} images (tests/Harness/ShiftedLogits.cs) | {few:P1} | 93–97 % |"
        );
        Console.WriteLine($"| 95 % interval of the ℓ2 error covers {Shift}, {ManyImages} images | {many:P1} | 93–97 % |");
        Console.WriteLine($"| 95 % interval of the ℓ2 error covers 0 of a calibrated model | {none:P1} | above 95 % |");
    }

    /// <returns>The share of the intervals that contain the ℓ2 calibration error, which is the shift.</returns>
    private static double L2Covered(int trials, int images, double shift)
    {
        var covered = 0;
        Parallel.For(
            0,
            trials,
            trial =>
            {
                var predictions = Predictions.Of(ShiftedLogits.Draw(images, shift, trial));
                var interval = L2Interval.Of(predictions, new(predictions.Confidences), 15)!.Interval;
                if (interval.Low <= shift && shift <= interval.High)
                    Interlocked.Increment(ref covered);
            }
        );
        return (double)covered / trials;
    }

    private static bool Covers(Estimate estimate, double truth) =>
        estimate.Interval!.Value.Low <= truth && truth <= estimate.Interval.Value.High;
}
