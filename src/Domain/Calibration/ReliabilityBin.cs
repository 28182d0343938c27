namespace Temper.Domain.Calibration;

/// <summary>One bin of a reliability diagram.</summary>
/// <param name="Lower">Its lower edge.</param>
/// <param name="Upper">Its upper edge; equal to the lower edge for torchmetrics' bin of confidences of exactly 1.</param>
/// <param name="Count">Number of predictions in the bin.</param>
/// <param name="MeanConfidence">Null when empty.</param>
/// <param name="Accuracy">Share of hits; null when empty.</param>
/// <param name="AccuracyInterval">95 % Wilson interval of the accuracy; null when empty.</param>
public sealed record ReliabilityBin(
    double Lower,
    double Upper,
    int Count,
    double? MeanConfidence,
    double? Accuracy,
    Interval? AccuracyInterval
)
{
    /// <param name="sums">The bins of equal width, followed by torchmetrics' additional bin if the rule has it.</param>
    /// <param name="bins">Number of bins of equal width, without the additional one.</param>
    public static IReadOnlyList<ReliabilityBin> Of(BinSums[] sums, int bins) =>
        [
            .. sums.Select(
                (sum, b) =>
                {
                    double lower = Math.Min((double)b / bins, 1),
                        upper = Math.Min((b + 1.0) / bins, 1);
                    return sum.Count == 0
                        ? new ReliabilityBin(lower, upper, 0, null, null, null)
                        : new ReliabilityBin(
                            lower,
                            upper,
                            sum.Count,
                            sum.Confidence / sum.Count,
                            sum.Hits / sum.Count,
                            Interval.Wilson(sum.Hits, sum.Count)
                        );
                }
            ),
        ];
}
