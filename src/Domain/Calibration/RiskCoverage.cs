namespace Temper.Domain.Calibration;

/// <summary>
/// Selective classification: the model answers only for the most confident share of the images (coverage); the risk is the error
/// rate among them. AURC is the mean risk over the coverages 1/N, 2/N … 1, in [0, 1]; it is 0 when no prediction is wrong.
/// Geifman and El-Yaniv 2017, arXiv:1705.08500. AUGRC is the area under the generalized risk instead, the share of all images that
/// are answered and wrong, in [0, ½]; Traub et al. 2024, arXiv:2407.01032.
/// </summary>
public static class RiskCoverage
{
    /// <param name="order">The order by confidence. For ties, the result is the mean over all orders of the tied
    /// predictions.</param>
    /// <param name="hits">N, indexed by prediction.</param>
    public static double Aurc(ConfidenceOrder order, double[] hits)
    {
        var weights = new byte[order.Count];
        Array.Fill(weights, (byte)1);
        return Aurc(order.TieStarts, order.Sort(hits), weights, Harmonic(order.Count));
    }

    /// <param name="tieStarts"><see cref="ConfidenceOrder.TieStarts"/></param>
    /// <param name="hits">N, from the least to the most confident.</param>
    /// <param name="weights">How often each prediction counts, from the least to the most confident; the sum is N.</param>
    /// <param name="harmonic"><see cref="Harmonic"/> of N.</param>
    internal static double Aurc(
        ReadOnlySpan<int> tieStarts,
        ReadOnlySpan<double> hits,
        ReadOnlySpan<byte> weights,
        ReadOnlySpan<double> harmonic
    )
    {
        var (sum, covered) = (0.0, 0);
        for (var tie = tieStarts.Length - 2; tie >= 0; tie--)
        {
            var (tied, wrong) = (0, 0.0);
            for (var i = tieStarts[tie]; i < tieStarts[tie + 1]; i++)
            {
                tied += weights[i];
                wrong += weights[i] * (1 - hits[i]);
            }
            if (wrong > 0)
                sum += Risk(wrong, covered, tied, harmonic);
            covered += tied;
        }
        return Math.Min(sum / covered, 1); // when all are wrong, rounding could bring it above 1
    }

    /// <summary>The generalized risk rises in a straight line over the coverages of ties, so this is the sum of trapezoids.</summary>
    /// <param name="order">The order by confidence.</param>
    /// <param name="hits">N, indexed by prediction.</param>
    public static double Augrc(ConfidenceOrder order, double[] hits)
    {
        var (area, errors, n) = (0.0, 0.0, (double)order.Count);
        for (var tie = order.TieStarts.Length - 2; tie >= 0; tie--)
        {
            var (start, end) = (order.TieStarts[tie], order.TieStarts[tie + 1]);
            var before = errors;
            for (var i = start; i < end; i++)
                errors += 1 - hits[order.Index[i]];
            area += (end - start) / n * (before + errors) / (2 * n);
        }
        return area;
    }

    /// <summary>What the wrong ones of some ties add to the risks of all coverages from <paramref name="covered"/> + 1 on.</summary>
    private static double Risk(double wrong, int covered, int tied, ReadOnlySpan<double> harmonic)
    {
        // Σ_{i=1..tied} (wrong·i/tied)/(covered + i): the first i of the tied have i/tied of the errors on average.
        var amongTied =
            tied == 1 ? wrong / (covered + 1) : wrong / tied * (tied - covered * (harmonic[covered + tied] - harmonic[covered]));
        return amongTied + wrong * (harmonic[^1] - harmonic[covered + tied]);
    }

    /// <summary>H(n) = Σ_{i=1..n} 1/i, for n from 0 to <paramref name="count"/>.</summary>
    internal static double[] Harmonic(int count)
    {
        var harmonic = new double[count + 1];
        for (var n = 1; n <= count; n++)
            harmonic[n] = harmonic[n - 1] + 1.0 / n;
        return harmonic;
    }
}
