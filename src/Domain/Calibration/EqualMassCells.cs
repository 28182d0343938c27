namespace Temper.Domain.Calibration;

/// <summary>
/// Where the hits of each prediction are counted for the bins of equal mass: in its bin or, when its ties lie in several bins, in a
/// cell for these ties, which is shared among the bins afterwards.
/// </summary>
internal sealed class EqualMassCells
{
    private readonly int bins;
    private readonly int count;

    /// <summary>The ties that lie in several bins, as ranks; the cell of the c-th is bins + c.</summary>
    private readonly List<(int Start, int End)> cut = [];

    public EqualMassCells(CalibrationErrors errors)
    {
        var order = errors.Order;
        (bins, count, Of) = (errors.EqualMass.Length, order.Count, new int[order.Count]);
        for (var tie = 0; tie + 1 < order.TieStarts.Length; tie++)
        {
            var (start, end) = (order.TieStarts[tie], order.TieStarts[tie + 1]);
            var cell = BinSums.EqualMassBin(start, count, bins);
            if (cell != BinSums.EqualMassBin(end - 1, count, bins))
            {
                cell = bins + cut.Count;
                cut.Add((start, end));
            }
            for (var i = start; i < end; i++)
                Of[order.Index[i]] = cell;
        }
    }

    /// <summary>The cell of each prediction, N.</summary>
    public int[] Of { get; }

    public int Count => bins + cut.Count;

    /// <summary>Shares the hits of the ties among their bins.</summary>
    /// <param name="hits">Of each cell.</param>
    /// <returns>The hits of each bin.</returns>
    public double[] Share(double[] hits)
    {
        var shared = hits[..bins];
        for (var c = 0; c < cut.Count; c++)
        {
            var (start, end) = cut[c];
            for (var bin = BinSums.EqualMassBin(start, count, bins); bin <= BinSums.EqualMassBin(end - 1, count, bins); bin++)
            {
                var within = Math.Min(end, StartOf(bin + 1)) - Math.Max(start, StartOf(bin));
                shared[bin] += hits[bins + c] * within / (end - start);
            }
        }
        return shared;
    }

    /// <summary>The number of predictions in the bins before a bin.</summary>
    private int StartOf(int bin) => bin * (count / bins) + Math.Min(bin, count % bins);
}
