using Temper.Domain.Calibration.Measures;

namespace Temper.Domain.Calibration.Calibrators;

/// <summary>
/// Recalibrates the probability of each class by a function of its own, and divides the results by their sum. With N images to fit on,
/// a function's value v becomes (N·v + 1)/(N + K), so that no label has the probability 0 and the NLL is finite.
/// </summary>
/// <remarks>Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass probability estimates".</remarks>
internal sealed class OneAgainstAll : ICalibrator
{
    private readonly Func<double, double>[] functions;
    private readonly int fitted;

    /// <param name="fit">Fits a function to N probabilities and, for each, 1 if the label is the class and otherwise 0.</param>
    public OneAgainstAll(LabelledLogits images, Func<double[], double[], Func<double, double>> fit, CancellationToken cancellation)
    {
        fitted = images.Count;
        var probabilities = ProbabilitiesOf(images);
        functions = new Func<double, double>[images.Classes];
        for (var k = 0; k < images.Classes; k++)
        {
            cancellation.ThrowIfCancellationRequested();
            functions[k] = fit(probabilities[k], Array.ConvertAll(images.Labels, label => label == k ? 1.0 : 0));
        }
    }

    public double[] Losses(LabelledLogits images)
    {
        var (probabilities, losses) = (ProbabilitiesOf(images), new double[images.Count]);
        for (var i = 0; i < losses.Length; i++)
        {
            var sum = 0.0;
            for (var k = 0; k < functions.Length; k++)
                sum += Value(k, probabilities[k][i]);
            losses[i] = -Math.Log(Value(images.Labels[i], probabilities[images.Labels[i]][i]) / sum);
        }
        return losses;
    }

    private double Value(int k, double probability) => (fitted * functions[k](probability) + 1) / (fitted + functions.Length);

    /// <returns>K×N.</returns>
    private static double[][] ProbabilitiesOf(LabelledLogits images)
    {
        double[][] classes = [.. Enumerable.Range(0, images.Classes).Select(_ => new double[images.Count])];
        var (predictions, row) = (Predictions.Of(images), new double[images.Classes]);
        for (var i = 0; i < images.Count; i++)
        {
            predictions.Softmax(i, row);
            for (var k = 0; k < row.Length; k++)
                classes[k][i] = row[k];
        }
        return classes;
    }

    /// <summary>Isotonic regression: a line between the ends of its steps, and constant beyond the first and the last.</summary>
    public static Func<double, double> Isotonic(double[] probabilities, double[] hits)
    {
        var order = new ConfidenceOrder(probabilities);
        var blocks = new IsotonicFit.Block[order.TieStarts.Length - 1];
        var count = IsotonicFit.Of(order.TieStarts, order.Sort(hits), blocks);
        var (at, values, first) = (new List<double>(), new List<double>(), 0);
        foreach (var block in blocks.AsSpan(0, count))
        {
            foreach (var end in new[] { first, block.End - 1 }.Distinct())
            {
                at.Add(probabilities[order.Index[order.TieStarts[end]]]);
                values.Add(block.Value);
            }
            first = block.End;
        }
        var (xs, ys) = (at.ToArray(), values.ToArray());
        return x =>
        {
            if (Array.BinarySearch(xs, x) is var found && found >= 0)
                return ys[found];
            var right = ~found;
            return right == 0 ? ys[0]
                : right == xs.Length ? ys[^1]
                : ys[right - 1] + (ys[right] - ys[right - 1]) * (x - xs[right - 1]) / (xs[right] - xs[right - 1]);
        };
    }

    /// <summary>Histogram binning: the share of hits in each of 15 bins of equal mass; equal probabilities are in one bin.</summary>
    /// <remarks>Zadrozny and Elkan 2001, "Obtaining calibrated probability estimates from decision trees and naive Bayesian classifiers";
    /// the number of bins is that of Guo et al. 2017, arXiv:1706.04599.</remarks>
    public static Func<double, double> Histogram(double[] probabilities, double[] hits)
    {
        const int Bins = 15;
        const double Tolerance = 1e-12; // that of ties
        var order = new ConfidenceOrder(probabilities);
        var edges = new List<double>();
        for (var tie = 0; tie + 1 < order.TieStarts.Length; tie++)
        for (var i = Math.Max(order.TieStarts[tie], 1); i < order.TieStarts[tie + 1]; i++)
            if (BinSums.EqualMassBin(i, order.Count, Bins) != BinSums.EqualMassBin(i - 1, order.Count, Bins))
                edges.Add(probabilities[order.Index[order.TieStarts[tie]]]);
        var (sums, counts) = (new double[Bins], new int[Bins]);
        for (var i = 0; i < hits.Length; i++)
        {
            var bin = BinOf(probabilities[i]);
            sums[bin] += hits[i];
            counts[bin]++;
        }
        return x => BinOf(x) is var bin && counts[bin] > 0 ? sums[bin] / counts[bin] : 0;

        int BinOf(double x)
        {
            var bin = 0;
            while (bin < edges.Count && edges[bin] <= x + Tolerance)
                bin++;
            return bin;
        }
    }
}
