namespace Temper.Domain.Calibration;

/// <summary>
/// Selective classification: the model answers only for the most confident share of the images (coverage); the risk is the error
/// rate among them. AURC is the mean risk over the coverages 1/N, 2/N … 1, in [0, 1]; it is 0 when no prediction is wrong.
/// Geifman and El-Yaniv 2017, arXiv:1705.08500.
/// </summary>
public static class RiskCoverage
{
    /// <param name="order">The order by confidence. For ties, the result is the mean over all orders of the tied
    /// predictions.</param>
    /// <param name="hits">N, indexed by prediction.</param>
    public static double Aurc(ConfidenceOrder order, ReadOnlySpan<double> hits)
    {
        var weights = new int[order.Count];
        Array.Fill(weights, 1);
        return Aurc(order, hits, weights, Harmonic(order.Count));
    }

    /// <param name="weights">How often each prediction counts, from the least to the most confident; the sum is N.</param>
    /// <param name="harmonic"><see cref="Harmonic"/> of N.</param>
    internal static double Aurc(ConfidenceOrder order, ReadOnlySpan<double> hits, ReadOnlySpan<int> weights, ReadOnlySpan<double> harmonic)
    {
        double sum = 0,
            errors = 0;
        var covered = 0;
        for (var tie = order.TieStarts.Length - 2; tie >= 0; tie--)
        {
            var (tied, wrong) = (0, 0.0);
            for (var i = order.TieStarts[tie]; i < order.TieStarts[tie + 1]; i++)
            {
                tied += weights[i];
                wrong += weights[i] * (1 - hits[order.Index[i]]);
            }
            if (tied == 0)
                continue;
            // Σ_{i=1..tied} (errors + wrong·i/tied)/(covered + i): the first i of the tied have i/tied of the errors on average.
            var inverse = harmonic[covered + tied] - harmonic[covered];
            sum += tied == 1 ? (errors + wrong) / (covered + 1) : errors * inverse + wrong / tied * (tied - covered * inverse);
            errors += wrong;
            covered += tied;
        }
        return sum / covered;
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
