namespace Temper.Domain.Calibration;

/// <summary>The bins of each class's probability over all predictions; K×B, ordered by class.</summary>
/// <remarks>Classwise ECE is the mean over classes of each class's ECE: Kull et al. 2019, arXiv:1910.12656, eq. 2.</remarks>
public sealed class ClasswiseBins
{
    private ClasswiseBins(int perClass, BinSums[] sums, ushort[] index) => (PerClass, Sums, Index) = (perClass, sums, index);

    public int PerClass { get; }

    /// <summary>The bin of each probability within the bins of its class, N×K.</summary>
    internal ushort[] Index { get; }

    public BinSums[] Sums { get; }

    /// <param name="bins">1 to 65,000.</param>
    public static ClasswiseBins Of(Predictions predictions, int bins, Binning binning)
    {
        var (classes, perClass) = (predictions.Classes, binning.CountWithHidden(bins));
        var sums = new BinSums[classes * perClass];
        var index = new ushort[predictions.Probabilities.Length];
        for (var i = 0; i < predictions.Count; i++)
        for (var k = 0; k < classes; k++)
        {
            var p = predictions.Probabilities[i * classes + k];
            ref var bin = ref sums[k * perClass + (index[i * classes + k] = checked((ushort)binning.IndexOf(p, bins)))];
            bin = bin.With(predictions.Labels[i] == k ? 1 : 0, p);
        }
        return new(perClass, sums, index);
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
