using System.Runtime.CompilerServices;

namespace Temper.Domain.Calibration;

/// <summary>
/// Some resamples of a consistency test: labels drawn from the model's probabilities, counted as hits of the observed bins. The bin
/// of a prediction is the same in all resamples.
/// </summary>
/// <remarks>
/// Image after image gets its labels of all resamples, from the numbers that a drawing of resample after resample would take. So
/// the result does not depend on which resamples are drawn together. Tables have a row for each bin and a column for each resample.
/// </remarks>
internal sealed class LabelDraws
{
    private readonly Predictions predictions;
    private readonly CalibrationErrors errors;
    private readonly EqualMassCells cells;
    private readonly SplitMix64 random;
    private readonly int first;
    private readonly int width;
    private readonly double[] equalWidth;
    private readonly double[] equalMass;
    private readonly double[] classwise;
    private readonly double[] grid;

    // Of one image: whether each resample draws the predicted class, and the resamples that do not.
    private readonly double[] hits;
    private readonly int[] missed;
    private readonly double[] beyond;
    private readonly double[] probabilities;
    private readonly double[] cumulated;

    /// <param name="first">The first resample.</param>
    /// <param name="width">Number of resamples.</param>
    public LabelDraws(
        Predictions predictions,
        CalibrationErrors errors,
        EqualMassCells cells,
        SplitMix64 random,
        int first,
        int width,
        CancellationToken cancellation
    )
    {
        (this.predictions, this.errors, this.cells, this.random) = (predictions, errors, cells, random);
        (this.first, this.width) = (first, width);
        (equalWidth, equalMass) = (new double[errors.EqualWidth.Length * width], new double[cells.Count * width]);
        (classwise, grid) = (new double[errors.Classwise.Sums.Length * width], new double[errors.Smooth.GridPoints * width]);
        (hits, missed, beyond) = (new double[width], new int[width], new double[width]);
        (probabilities, cumulated) = (new double[predictions.Classes], new double[predictions.Classes]);
        for (var i = 0; i < predictions.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var misses = DrawHits(i);
            CountHits(i);
            if (misses > 0)
                CountMisses(i, misses);
        }
    }

    public BinSums[] EqualWidth(int resample) => WithHits(errors.EqualWidth, Column(equalWidth, resample));

    public BinSums[] EqualMass(int resample) => WithHits(errors.EqualMass, cells.Share(Column(equalMass, resample)));

    public BinSums[] Classwise(int resample) => WithHits(errors.Classwise.Sums, Column(classwise, resample));

    /// <summary>The hits on the grid of the smooth ECE.</summary>
    public double[] OnGrid(int resample) => Column(grid, resample);

    /// <summary>Draws a label by inversion. The predicted class comes first because it is drawn most often.</summary>
    /// <returns>The number of resamples with another label than the predicted one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int DrawHits(int i)
    {
        var (confidence, misses) = (predictions.Confidences[i], 0);
        for (var r = 0; r < width; r++)
        {
            var u = random.DoubleAfter((long)(first + r) * predictions.Count + i);
            (missed[misses], beyond[misses]) = (r, u - confidence);
            var isHit = u < confidence;
            hits[r] = isHit ? 1 : 0;
            misses += isHit ? 0 : 1;
        }
        return misses;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CountHits(int i)
    {
        var confidence = predictions.Confidences[i];
        var bin = errors.Binning.IndexOf(confidence, errors.Bins);
        Add(equalWidth, bin, 1);
        Add(classwise, predictions.Predicted[i] * errors.Classwise.PerClass + bin, 1);
        Add(equalMass, cells.Of[i], 1);
        var (left, leftShare, rightShare) = errors.Smooth.Place(confidence);
        Add(grid, left, leftShare);
        Add(grid, left + 1, rightShare);

        void Add(double[] table, int row, double share) => VectorLoops.AddProduct(table.AsSpan(row * width, width), hits, share);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void CountMisses(int i, int misses)
    {
        predictions.Softmax(i, probabilities);
        var (predicted, sum) = (predictions.Predicted[i], 0.0);
        for (var k = 0; k < cumulated.Length; k++)
            cumulated[k] = sum += k == predicted ? 0 : probabilities[k];
        for (var miss = 0; miss < misses; miss++)
        {
            var label = LabelAt(beyond[miss], predicted);
            var bin = errors.Binning.IndexOf(probabilities[label], errors.Bins);
            classwise[(label * errors.Classwise.PerClass + bin) * width + missed[miss]]++;
        }
    }

    /// <returns>The first label whose cumulated probability is above u; the last one if rounding leaves none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int LabelAt(double u, int predicted)
    {
        // A binary search without branches, which the processor could not predict.
        var from = 0;
        for (int size = cumulated.Length, half; size > 1; size -= half)
        {
            half = size / 2;
            from += half * (cumulated[from + half - 1] <= u ? 1 : 0);
        }
        from += cumulated[from] <= u ? 1 : 0;
        return from < cumulated.Length ? from
            : predicted < cumulated.Length - 1 ? cumulated.Length - 1
            : cumulated.Length - 2;
    }

    private double[] Column(double[] table, int resample)
    {
        var column = new double[table.Length / width];
        for (var row = 0; row < column.Length; row++)
            column[row] = table[row * width + resample - first];
        return column;
    }

    private static BinSums[] WithHits(BinSums[] observed, double[] hits)
    {
        var bins = new BinSums[observed.Length];
        for (var b = 0; b < bins.Length; b++)
            bins[b] = observed[b] with { Hits = hits[b] };
        return bins;
    }
}
