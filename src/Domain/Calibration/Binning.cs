namespace Temper.Domain.Calibration;

/// <summary>Which bin a confidence on an edge belongs to. Tools differ, and so do their values.</summary>
public enum Binning
{
    /// <summary>(a, b], and 0 joins the first: Guo et al. 2017 and its successors. Our default.</summary>
    Guo,

    /// <summary>[a, b), and a confidence of exactly 1 has a bin of its own, beyond the last: torchmetrics from 1.0 on.</summary>
    Torchmetrics,

    /// <summary>[a, b), and 1 joins the last: netcal.</summary>
    Netcal,
}

/// <summary>Equal-width bins over [0, 1], their edges the doubles nearest to b/bins.</summary>
public static class EqualWidthBins
{
    /// <summary>The number of bins each tool takes when not told.</summary>
    public static int DefaultCount(this Binning binning) => binning == Binning.Netcal ? 10 : 15;

    /// <summary>How many bins there are once the rule's hidden one is counted.</summary>
    public static int CountWithHidden(this Binning binning, int bins) => binning == Binning.Torchmetrics ? bins + 1 : bins;

    /// <summary>The bin of a confidence, from 0.</summary>
    /// <exception cref="ArgumentException">The confidence is not in [0, 1].</exception>
    public static int IndexOf(this Binning binning, double confidence, int bins)
    {
        if (!(confidence >= 0 && confidence <= 1))
            throw new ArgumentException($"A confidence is a number from 0 to 1, not {confidence}.", nameof(confidence));

        // confidence·bins rounds: start there, then compare with the edges themselves.
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
