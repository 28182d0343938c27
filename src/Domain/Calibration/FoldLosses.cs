using System.Runtime.CompilerServices;

namespace Temper.Domain.Calibration;

/// <summary>A loss, and its first two derivatives in β, summed over images.</summary>
internal readonly record struct LossSums(double Value, double Slope, double Curvature, int Images)
{
    public static LossSums operator +(LossSums a, LossSums b) =>
        new(a.Value + b.Value, a.Slope + b.Slope, a.Curvature + b.Curvature, a.Images + b.Images);
}

/// <summary>
/// The losses of softmax(β·logits) over the images of each fold. One pass computes all folds. The searches that leave out one fold
/// after the other share the β at which they begin, so the sums are kept for each β.
/// </summary>
/// <param name="folds">The fold of each image.</param>
/// <param name="count">The number of folds.</param>
internal sealed class FoldLosses(LabelledLogits logits, byte[] folds, int count, CancellationToken cancellation)
{
    private readonly Dictionary<double, LossSums[]> nll = [],
        doubt = [];

    public LabelledLogits Logits => logits;

    /// <returns>Of each fold: Σ over images of ln Σ_k exp(β z_k) − β z_label.</returns>
    public LossSums[] Nll(double beta) => Known(nll, beta, (i, weights) => Nll(i, beta, weights));

    /// <returns>Of each fold: Σ over images of the probability of all classes except those with the largest logit.</returns>
    public LossSums[] Doubt(double beta) => Known(doubt, beta, (i, weights) => Doubt(i, beta, weights));

    /// <summary>Whether something holds for all images, except those of a fold.</summary>
    public bool All(int? without, Func<int, bool> holds)
    {
        for (var i = 0; i < logits.Count; i++)
            if (folds[i] != without && !holds(i))
                return false;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private LossSums Nll(int i, double beta, double[] weights)
    {
        var row = logits.Row(i);
        var largest = row[logits.Predicted[i]];
        var sum = VectorLoops.Exponentials(row, largest, beta, weights);
        var (first, second) = VectorLoops.Moments(row, largest, weights);
        var (mean, below) = (first / sum, (double)row[logits.Labels[i]] - largest);
        return new(Math.Log(sum) - beta * below, mean - below, second / sum - mean * mean, 1);
    }

    private LossSums Doubt(int i, double beta, double[] weights)
    {
        var row = logits.Row(i);
        var largest = row[logits.Predicted[i]];
        VectorLoops.Exponentials(row, largest, beta, weights);
        var (first, _) = VectorLoops.Moments(row, largest, weights);
        var (top, rest) = (0, 0.0);
        for (var k = 0; k < row.Length; k++)
            if (row[k] == largest)
                top++;
            else
                rest += weights[k];
        var sum = top + rest;
        return new(rest / sum, first / sum * top / sum, 0, 1);
    }

    private LossSums[] Known(Dictionary<double, LossSums[]> known, double beta, Func<int, double[], LossSums> of)
    {
        if (!known.TryGetValue(beta, out var sums))
            known[beta] = sums = SumOver(of);
        return sums;
    }

    /// <summary>Sums over the images of each fold, on all cores.</summary>
    /// <param name="of">The loss of an image; it may write to an array of K numbers.</param>
    private LossSums[] SumOver(Func<int, double[], LossSums> of)
    {
        var pieces = new LossSums[Pieces.CountOf(logits.Count)][];
        Pieces.ForEach(
            logits.Count,
            cancellation,
            (piece, start, end) =>
            {
                var (sums, weights) = (new LossSums[count], new double[logits.Classes]);
                for (var i = start; i < end; i++)
                    sums[folds[i]] += of(i, weights);
                pieces[piece] = sums;
            }
        );
        return [.. Enumerable.Range(0, count).Select(fold => pieces.Select(sums => sums[fold]).Aggregate((a, b) => a + b))];
    }
}
