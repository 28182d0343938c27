using Temper.Domain.Calibration.Measures;

namespace Temper.Domain.Calibration.Calibrators;

/// <summary>
/// Recalibrates the probability of each class by a function of its own, and divides the results by their sum. With N images to fit on,
/// a fitted value v becomes N·v + 1, so that no label has the probability 0 and the NLL is finite.
/// </summary>
/// <remarks>Zadrozny and Elkan 2002, "Transforming classifier scores into accurate multiclass probability estimates".</remarks>
public sealed class OneAgainstAll : Calibrator
{
    /// <param name="name">`histogram` or `isotonic`.</param>
    internal OneAgainstAll(CalibratorName name, LabelledLogits images, CancellationToken cancellation)
        : base(name)
    {
        var (probabilities, row) = (new double[images.Classes][], new double[images.Classes]);
        for (var k = 0; k < images.Classes; k++)
            probabilities[k] = new double[images.Count];
        for (var i = 0; i < images.Count; i++)
        {
            WriteProbabilities(images.Row(i), row);
            for (var k = 0; k < row.Length; k++)
                probabilities[k][i] = row[k];
        }
        var functions = new PiecewiseLinear[images.Classes];
        for (var k = 0; k < images.Classes; k++)
        {
            cancellation.ThrowIfCancellationRequested();
            var order = new ConfidenceOrder(probabilities[k]);
            var hits = order.Sort(Array.ConvertAll(images.Labels, label => label == k ? 1.0 : 0));
            var knots =
                name == CalibratorName.Histogram ? Histogram(order, probabilities[k], hits) : Isotonic(order, probabilities[k], hits);
            functions[k] = new(knots.ConvertAll(knot => (knot.At, images.Count * knot.Value + 1)));
        }
        Functions = functions;
    }

    /// <summary>K functions of a probability, above 0. Their values, divided by the sum over the classes, are the probabilities.</summary>
    public IReadOnlyList<PiecewiseLinear> Functions { get; }

    public override long Bytes => Functions.Sum(function => 2L * sizeof(double) * function.At.Length);

    protected override void Score(ReadOnlySpan<float> logits, Span<double> scores)
    {
        WriteProbabilities(logits, scores);
        for (var k = 0; k < scores.Length; k++)
            scores[k] = Math.Log(Functions[k].Of(scores[k]));
    }

    /// <summary>Writes softmax(logits).</summary>
    private static void WriteProbabilities(ReadOnlySpan<float> logits, Span<double> probabilities) =>
        VectorLoops.Divide(
            probabilities,
            VectorLoops.Exponentials(logits, logits[LabelledLogits.IndexOfLargest(logits)], 1, probabilities)
        );

    /// <summary>Isotonic regression: a line between the ends of its steps.</summary>
    /// <param name="hits">In the order.</param>
    private static List<(double At, double Value)> Isotonic(ConfidenceOrder order, double[] probabilities, double[] hits)
    {
        var blocks = new IsotonicFit.Block[order.TieStarts.Length - 1];
        var (count, first, knots) = (IsotonicFit.Of(order.TieStarts, hits, blocks), 0, new List<(double, double)>());
        foreach (var block in blocks.AsSpan(0, count))
        {
            foreach (var end in new[] { first, block.End - 1 }.Distinct())
                knots.Add((probabilities[order.Index[order.TieStarts[end]]], block.Value));
            first = block.End;
        }
        return knots;
    }

    /// <summary>
    /// Histogram binning: the share of hits in each of 15 bins of equal mass; equal probabilities are in one bin. A step is the
    /// line between two neighbouring float64 numbers.
    /// </summary>
    /// <param name="hits">In the order.</param>
    /// <remarks>Zadrozny and Elkan 2001, "Obtaining calibrated probability estimates from decision trees and naive Bayesian classifiers";
    /// the number of bins is that of Guo et al. 2017, arXiv:1706.04599.</remarks>
    private static List<(double At, double Value)> Histogram(ConfidenceOrder order, double[] probabilities, double[] hits)
    {
        const int Bins = 15;
        var starts = new List<int> { 0 };
        for (var tie = 0; tie + 1 < order.TieStarts.Length; tie++)
        {
            var (before, last) = (Math.Max(order.TieStarts[tie] - 1, 0), order.TieStarts[tie + 1] - 1);
            if (BinSums.EqualMassBin(before, order.Count, Bins) != BinSums.EqualMassBin(last, order.Count, Bins))
                starts.Add(order.TieStarts[tie]);
        }
        var knots = new List<(double At, double Value)>();
        for (var bin = 0; bin < starts.Count; bin++)
        {
            var own = hits[starts[bin]..(bin + 1 < starts.Count ? starts[bin + 1] : order.Count)];
            var value = own.Length > 0 ? own.Average() : 0; // the first has no images if the least probable ones tie over its end
            var edge = probabilities[order.Index[starts[bin]]] - ConfidenceOrder.TieTolerance;
            if (bin == 0)
                edge -= ConfidenceOrder.TieTolerance; // before every other knot
            else
                knots.Add((Math.BitDecrement(edge), knots[^1].Value));
            knots.Add((edge, value));
        }
        return knots;
    }
}
