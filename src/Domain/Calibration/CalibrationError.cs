namespace Temper.Domain.Calibration;

/// <summary>
/// Binned calibration errors. Each is biased upwards, because the bins of a perfectly calibrated model also deviate by chance.
/// The debiased estimates subtract the expected deviation, with bin accuracies modelled as normal around the observed ones, and
/// are truncated at 0. Kumar, Liang and Ma 2019, "Verified Uncertainty Calibration", arXiv:1909.10155.
/// </summary>
public static class CalibrationError
{
    /// <summary>ECE = Σ_b (n_b/N)·|accuracy_b − confidence_b|, in [0, 1].</summary>
    /// <remarks>Guo et al. 2017, arXiv:1706.04599, eq. 3. Over bins of equal mass it is the adaptive ECE.</remarks>
    public static double Expected(ReadOnlySpan<BinSums> bins)
    {
        var (sum, count) = (0.0, 0);
        foreach (var bin in bins)
        {
            sum += bin.Gap;
            count += bin.Count;
        }
        return sum / count;
    }

    /// <summary>
    /// MCE = max_b |accuracy_b − confidence_b| over bins that are not empty, in [0, 1]; Guo et al. 2017, eq. 5.
    /// </summary>
    public static double Maximum(ReadOnlySpan<BinSums> bins)
    {
        var largest = 0.0;
        foreach (var bin in bins)
            if (bin.Count > 0)
                largest = Math.Max(largest, bin.Gap / bin.Count);
        return largest;
    }

    /// <summary>√ of Σ_b (n_b/N)·(accuracy_b − confidence_b)², in [0, 1].</summary>
    public static double L2(ReadOnlySpan<BinSums> bins)
    {
        var (sum, count) = (0.0, 0);
        foreach (var bin in bins)
        {
            count += bin.Count;
            if (bin.Count > 0)
                sum += bin.Gap * bin.Gap / bin.Count;
        }
        return Math.Sqrt(sum / count);
    }

    /// <summary>
    /// √ of Σ_b (n_b/N)·[(accuracy_b − confidence_b)² − accuracy_b(1−accuracy_b)/(n_b−1)], at least 0. Bins with one prediction
    /// contribute nothing to the sum.
    /// </summary>
    /// <remarks>Kumar et al. 2019, definition 4.1, over bins of equal mass.</remarks>
    public static double DebiasedL2(ReadOnlySpan<BinSums> bins)
    {
        var (sum, count) = (0.0, 0);
        foreach (var bin in bins)
        {
            count += bin.Count;
            if (bin.Count < 2)
                continue;
            double n = bin.Count,
                gap = bin.Gap / n,
                accuracy = bin.Hits / n;
            sum += n * (gap * gap - accuracy * (1 - accuracy) / (n - 1));
        }
        return Math.Sqrt(Math.Max(sum / count, 0));
    }

    /// <summary>2·ECE − the expected ECE of bins whose accuracies are normal around the observed ones, at least 0.</summary>
    public static double DebiasedExpected(ReadOnlySpan<BinSums> bins)
    {
        var (scattered, count) = (0.0, 0);
        foreach (var bin in bins)
        {
            count += bin.Count;
            if (bin.Count > 0)
                scattered += bin.Count * Normal.AbsoluteMean(Gap(bin), Deviation(bin));
        }
        return Math.Max(2 * Expected(bins) - scattered / count, 0);
    }

    /// <summary>2·MCE − the expected MCE of bins whose accuracies are normal around the observed ones, at least 0.</summary>
    public static double DebiasedMaximum(ReadOnlySpan<BinSums> bins)
    {
        BinSums[] filled = [.. bins.ToArray().Where(bin => bin.Count > 0)];
        return Math.Max(2 * Maximum(bins) - Normal.AbsoluteMaximumMean([.. filled.Select(Gap)], [.. filled.Select(Deviation)]), 0);
    }

    private static double Gap(BinSums bin) => (bin.Hits - bin.Confidence) / bin.Count;

    /// <summary>
    /// Standard deviation of the bin's accuracy. Rounding in shared ties can make an accuracy slightly above 1.
    /// </summary>
    private static double Deviation(BinSums bin)
    {
        var accuracy = bin.Hits / bin.Count;
        return Math.Sqrt(Math.Max(accuracy * (1 - accuracy), 0) / bin.Count);
    }
}
