namespace Temper.Domain.Calibration.Measures;

/// <summary>The non-decreasing function with the least squared error, by pooling adjacent violators.</summary>
internal static class IsotonicFit
{
    /// <summary>A run of equal fitted values.</summary>
    /// <param name="End">The tie after its last.</param>
    public readonly record struct Block(int End, double Sum, int Count)
    {
        public double Value => Sum / Count;
    }

    /// <param name="tieStarts"><see cref="ConfidenceOrder.TieStarts"/>: equal arguments have one value.</param>
    /// <param name="values">N, in ascending order of the arguments.</param>
    /// <param name="blocks">Room for as many blocks as there are ties.</param>
    /// <returns>The number of blocks, at the start of <paramref name="blocks"/>, whose values increase.</returns>
    public static int Of(ReadOnlySpan<int> tieStarts, ReadOnlySpan<double> values, Span<Block> blocks)
    {
        var count = 0;
        for (var tie = 0; tie + 1 < tieStarts.Length; tie++)
        {
            var sum = 0.0;
            for (var i = tieStarts[tie]; i < tieStarts[tie + 1]; i++)
                sum += values[i];
            var block = new Block(tie + 1, sum, tieStarts[tie + 1] - tieStarts[tie]);
            // Blocks of equal value are one. The sums of 0 and 1 are exact, so the comparison of cross products is too.
            while (count > 0 && blocks[count - 1].Sum * block.Count >= block.Sum * blocks[count - 1].Count)
            {
                var before = blocks[--count];
                block = new(block.End, before.Sum + block.Sum, before.Count + block.Count);
            }
            blocks[count++] = block;
        }
        return count;
    }
}
