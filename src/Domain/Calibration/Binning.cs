namespace Temper.Domain.Calibration;

/// <summary>
/// The rule for a confidence on the edge of a bin. Tools use different rules and therefore give different values.
/// </summary>
public enum Binning
{
    /// <summary>(a, b], and the first bin includes 0: Guo et al. 2017 and its successors. The default.</summary>
    Guo,

    /// <summary>[a, b), and an additional bin after the last holds confidences of exactly 1: torchmetrics from 1.0 on.</summary>
    Torchmetrics,

    /// <summary>[a, b), and the last bin includes 1: netcal.</summary>
    Netcal,
}

/// <summary>Equal-width bins over [0, 1]. The edges are the doubles nearest to b/bins.</summary>
public static class EqualWidthBins
{
    /// <summary>The default number of bins of each tool.</summary>
    public static int DefaultCount(this Binning binning) => binning == Binning.Netcal ? 10 : 15;

    /// <summary>The number of bins including torchmetrics' additional bin for confidences of exactly 1.</summary>
    public static int CountWithHidden(this Binning binning, int bins) => binning == Binning.Torchmetrics ? bins + 1 : bins;

    /// <summary>The index of a confidence's bin, from 0.</summary>
    /// <exception cref="ArgumentException">The confidence is not in [0, 1].</exception>
    public static int IndexOf(this Binning binning, double confidence, int bins)
    {
        if (!(confidence >= 0 && confidence <= 1))
            throw new ArgumentException($"A confidence is a number from 0 to 1, not {confidence}.", nameof(confidence));

        // The product confidence·bins is rounded, so the result is compared with the exact edges.
        var bin = Math.Min((int)(confidence * bins), bins - 1);
        if (binning == Binning.Guo)
        {
            if (bin > 0 && confidence <= (double)bin / bins)
                return bin - 1;
            return bin < bins - 1 && confidence > (bin + 1.0) / bins ? bin + 1 : bin;
        }
        if (confidence == 1)
            return binning == Binning.Torchmetrics ? bins : bins - 1;
        if (confidence < (double)bin / bins)
            return bin - 1;
        return bin < bins - 1 && confidence >= (bin + 1.0) / bins ? bin + 1 : bin;
    }
}
