namespace Temper.Domain.Calibration;

/// <summary>N predictions, ordered from the least to the most confident, with their ties.</summary>
public sealed class ConfidenceOrder
{
    /// <summary>The same logits in a different order of classes give confidences that differ in the last digits.</summary>
    internal const double TieTolerance = 1e-12;

    public ConfidenceOrder(ReadOnlySpan<double> confidences)
    {
        var sorted = confidences.ToArray();
        Index = new int[sorted.Length];
        for (var i = 0; i < Index.Length; i++)
            Index[i] = i;
        Array.Sort(sorted, Index);
        var starts = new List<int>();
        for (var i = 0; i < sorted.Length; i++)
            if (i == 0 || sorted[i] - sorted[i - 1] > TieTolerance)
                starts.Add(i);
        starts.Add(sorted.Length);
        TieStarts = [.. starts];
    }

    public int Count => Index.Length;

    /// <summary>Index[i] is the prediction with the i-th lowest confidence.</summary>
    public int[] Index { get; }

    /// <summary>The start of each run of tied confidences in <see cref="Index"/>; the last element is N.</summary>
    public int[] TieStarts { get; }

    /// <summary>Values in this order, each replaced by the mean over its ties.</summary>
    public double[] ShareTies(ReadOnlySpan<double> values)
    {
        var shared = new double[Count];
        for (var tie = 0; tie + 1 < TieStarts.Length; tie++)
        {
            var (start, end) = (TieStarts[tie], TieStarts[tie + 1]);
            var sum = 0.0;
            for (var i = start; i < end; i++)
                sum += values[Index[i]];
            shared.AsSpan(start..end).Fill(sum / (end - start));
        }
        return shared;
    }

    /// <summary>Values in this order.</summary>
    internal double[] Sort(double[] values) => Array.ConvertAll(Index, i => values[i]);
}
