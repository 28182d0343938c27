namespace Temper.Domain.Calibration;

/// <summary>The bins of each class's probability over all predictions; K×B, ordered by class.</summary>
/// <remarks>Classwise ECE is the mean over classes of each class's ECE: Kull et al. 2019, arXiv:1910.12656, eq. 2.</remarks>
public sealed class ClasswiseBins
{
    /// <summary>Most bins of all pieces together, 24 bytes each.</summary>
    private const int MostSums = 2 << 20;

    private ClasswiseBins(int perClass, BinSums[] sums) => (PerClass, Sums) = (perClass, sums);

    public int PerClass { get; }

    public BinSums[] Sums { get; }

    /// <param name="bins">At least 1.</param>
    public static ClasswiseBins Of(Predictions predictions, int bins, Binning binning, CancellationToken cancellation = default)
    {
        var (classes, perClass) = (predictions.Classes, binning.CountWithHidden(bins));
        var most = Math.Clamp(MostSums / (classes * perClass), 1, Pieces.Most);
        var pieces = new BinSums[Pieces.CountOf(predictions.Count, most)][];
        Pieces.ForEach(predictions.Count, cancellation, (piece, start, end) => pieces[piece] = SumsOf(start, end), most);
        for (var piece = 1; piece < pieces.Length; piece++)
        for (var b = 0; b < classes * perClass; b++)
            pieces[0][b] += pieces[piece][b];
        return new(perClass, pieces[0]);

        BinSums[] SumsOf(int start, int end)
        {
            var (sums, probabilities) = (new BinSums[classes * perClass], new double[classes]);
            for (var i = start; i < end; i++)
            {
                predictions.Softmax(i, probabilities);
                for (var k = 0; k < classes; k++)
                {
                    ref var bin = ref sums[k * perClass + binning.IndexOf(probabilities[k], bins)];
                    bin = bin.With(predictions.Labels[i] == k ? 1 : 0, probabilities[k]);
                }
            }
            return sums;
        }
    }

    /// <summary>
    /// The mean of the classes' ECE. Each class's bins hold all N predictions, so it equals the ECE over all bins.
    /// </summary>
    public double Expected => CalibrationError.Expected(Sums);

    /// <inheritdoc cref="CalibrationError.DebiasedExpected"/>
    public double DebiasedExpected
    {
        get
        {
            var sum = 0.0;
            for (var k = 0; k < Sums.Length; k += PerClass)
                sum += CalibrationError.DebiasedExpected(Sums.AsSpan(k, PerClass));
            return sum / (Sums.Length / PerClass);
        }
    }
}
