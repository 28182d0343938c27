namespace Temper.Domain.Calibration;

/// <summary>The ECE that each tool would compute from the same float64 probabilities, and why the values differ.</summary>
/// <param name="Values">One value for each tool's rule, with the tool's default number of bins.</param>
/// <param name="OnEdges">Number of predictions whose confidence lies exactly on an inner edge of one of the rules' bins. The
/// rules [a, b) and (a, b] put them into different bins.</param>
/// <param name="AtOne">Number of predictions with a confidence of exactly 1, for which torchmetrics has a separate bin.</param>
/// <param name="Why">The reasons for the differences between these values.</param>
public sealed record BinningReceipt(IReadOnlyList<BinnedEce> Values, int OnEdges, int AtOne, string Why)
{
    public static BinningReceipt Of(Predictions predictions)
    {
        BinnedEce[] values = [.. Enum.GetValues<Binning>().Select(binning => BinnedEce.Of(predictions, binning))];
        var onEdges = predictions.Confidences.Count(confidence => confidence < 1 && values.Any(value => IsEdge(confidence, value.Bins)));
        var atOne = predictions.Confidences.Count(confidence => confidence == 1);
        return new(values, onEdges, atOne, Explain(onEdges, atOne));
    }

    private static bool IsEdge(double confidence, int bins) => Math.Round(confidence * bins) / bins == confidence;

    private static string Explain(int onEdges, int atOne)
    {
        var why = "netcal takes 10 bins where the others take 15: wider bins let more errors of opposite sign cancel.";
        why +=
            onEdges == 0
                ? " No confidence lies on an inner edge, so it does not matter which bin owns its edges."
                : $" {onEdges} confidences lie on an inner edge: guo puts them into the bin below, the others into the bin above.";
        return why
            + (
                atOne == 0
                    ? " No confidence is exactly 1 in float64, so torchmetrics' bin of exact ones is empty; computed in float32, "
                        + "confident predictions would round into it."
                    : $" {atOne} confidences are exactly 1: torchmetrics judges them in a bin of their own, the others in the last bin."
            );
    }
}

/// <summary>An ECE with the binning rule that it was computed by.</summary>
public sealed record BinnedEce(Binning Binning, int Bins, double Ece)
{
    internal static BinnedEce Of(Predictions predictions, Binning binning)
    {
        var bins = binning.DefaultCount();
        return new(binning, bins, CalibrationError.Expected(BinSums.EqualWidth(predictions.Confidences, predictions.Hits, bins, binning)));
    }
}
