namespace Temper.Domain.Calibration;

/// <summary>Expected calibration error: Σ_b (n_b/N)·|accuracy_b − confidence_b| over equal-width confidence bins.</summary>
/// <remarks>
/// Guo et al. 2017, arXiv:1706.04599, eq. 3, with that paper's right-closed bins (a, b]; a confidence of 0, which they
/// drop, joins the first bin. Tools with left-closed bins give other values for confidences on an edge.
/// </remarks>
public static class ExpectedCalibrationError
{
    public const int DefaultBins = 15;

    /// <param name="confidences">N top-1 probabilities, each in [0, 1].</param>
    /// <param name="correct">N flags: was the top-1 class the label?</param>
    /// <param name="bins">Number of equal-width bins, at least 1.</param>
    /// <returns>[0, 1]; 0 is perfectly calibrated.</returns>
    /// <exception cref="ArgumentException">No predictions, lengths differ, bins below 1, or a confidence outside [0, 1].</exception>
    public static double Of(ReadOnlySpan<double> confidences, ReadOnlySpan<bool> correct, int bins = DefaultBins)
    {
        if (confidences.IsEmpty) throw new ArgumentException("No predictions.", nameof(confidences));
        if (confidences.Length != correct.Length) throw new ArgumentException("As many flags as confidences.", nameof(correct));
        ArgumentOutOfRangeException.ThrowIfLessThan(bins, 1);

        // Σ (correct − confidence) per bin; the bin counts cancel: (n_b/N)·|acc_b − conf_b| = |Σ_b| / N.
        Span<double> gaps = bins <= 256 ? stackalloc double[bins] : new double[bins];
        gaps.Clear();
        for (var i = 0; i < confidences.Length; i++)
            gaps[BinOf(confidences[i], bins)] += (correct[i] ? 1 : 0) - confidences[i];

        var sum = 0.0;
        foreach (var gap in gaps) sum += Math.Abs(gap);
        return sum / confidences.Length;
    }

    /// <summary>The bin b with confidence in (b/bins, (b+1)/bins], edges as the nearest double to b/bins.</summary>
    private static int BinOf(double confidence, int bins)
    {
        if (!(confidence >= 0 && confidence <= 1))
            throw new ArgumentException($"A confidence is a number from 0 to 1, not {confidence}.", nameof(confidence));
        var bin = Math.Clamp((int)Math.Ceiling(confidence * bins) - 1, 0, bins - 1);
        // confidence·bins rounds: compare with the edges themselves, so that a confidence of exactly b/bins falls in bin b − 1.
        if (bin > 0 && confidence <= (double)bin / bins) return bin - 1;
        if (bin < bins - 1 && confidence > (double)(bin + 1) / bins) return bin + 1;
        return bin;
    }
}
