namespace Temper.Domain.Calibration;

/// <summary>Sums over the predictions of one bin.</summary>
/// <param name="Count">Number of predictions, n.</param>
/// <param name="Hits">Σ of hits. A hit is 0 or 1, or the true probability of the predicted class if it is known.</param>
/// <param name="Confidence">Σ of confidences.</param>
public readonly record struct BinSums(int Count, double Hits, double Confidence)
{
    /// <summary>|accuracy − confidence|·n.</summary>
    public double Gap => Math.Abs(Hits - Confidence);

    internal BinSums With(double hit, double confidence) => new(Count + 1, Hits + hit, Confidence + confidence);

    public static BinSums operator +(BinSums a, BinSums b) => new(a.Count + b.Count, a.Hits + b.Hits, a.Confidence + b.Confidence);

    /// <summary>Bins of equal width by a tool's rule, including empty bins.</summary>
    /// <param name="confidences">N, each in [0, 1].</param>
    /// <param name="hits">N.</param>
    /// <param name="bins">At least 1.</param>
    /// <exception cref="ArgumentException">No predictions, lengths differ, bins below 1, or a confidence outside [0,
    /// 1].</exception>
    public static BinSums[] EqualWidth(ReadOnlySpan<double> confidences, ReadOnlySpan<double> hits, int bins, Binning binning)
    {
        Check(confidences, hits, bins);
        var sums = new BinSums[binning.CountWithHidden(bins)];
        for (var i = 0; i < confidences.Length; i++)
        {
            var bin = binning.IndexOf(confidences[i], bins);
            sums[bin] = sums[bin].With(hits[i], confidences[i]);
        }
        return sums;
    }

    /// <summary>
    /// Bins of equal mass. The predictions are ordered by confidence and cut so that counts differ by at most one, larger bins
    /// first. Equal confidences share their hits evenly, so that their input order does not matter when a cut separates them.
    /// </summary>
    /// <inheritdoc cref="EqualWidth"/>
    /// <param name="order">The order of the confidences; null to find it here.</param>
    /// <remarks>Nguyen and O'Connor 2015, arXiv:1508.05154; Nixon et al. 2019, arXiv:1904.01685.</remarks>
    public static BinSums[] EqualMass(ReadOnlySpan<double> confidences, ReadOnlySpan<double> hits, int bins, ConfidenceOrder? order = null)
    {
        Check(confidences, hits, bins);
        order ??= new(confidences);
        var shared = order.ShareTies(hits);
        var sums = new BinSums[bins];
        for (var i = 0; i < order.Count; i++)
        {
            var bin = EqualMassBin(i, order.Count, bins);
            sums[bin] = sums[bin].With(shared[i], confidences[order.Index[i]]);
        }
        return sums;
    }

    /// <summary>The bin of the prediction with the i-th lowest confidence.</summary>
    public static int EqualMassBin(int i, int count, int bins)
    {
        var (size, larger) = (count / bins, count % bins);
        var inLarger = larger * (size + 1);
        return i < inLarger ? i / (size + 1) : larger + (i - inLarger) / size;
    }

    private static void Check(ReadOnlySpan<double> confidences, ReadOnlySpan<double> hits, int bins)
    {
        if (confidences.IsEmpty)
            throw new ArgumentException("No predictions.", nameof(confidences));
        if (confidences.Length != hits.Length)
            throw new ArgumentException("As many hits as confidences.", nameof(hits));
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);
    }
}
