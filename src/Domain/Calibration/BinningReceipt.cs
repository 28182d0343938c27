namespace Temper.Domain.Calibration;

/// <summary>The ECE of the same predictions as each tool would compute it from float64 probabilities, and why they differ.</summary>
/// <param name="Values">One for each tool's rule and its own number of bins.</param>
/// <param name="OnEdges">Predictions whose confidence lies exactly on an inner edge of one of the rules' bins: those on [a, b)
/// and on (a, b] part ways.</param>
/// <param name="AtOne">Predictions with a confidence of exactly 1: torchmetrics gives them a bin of their own.</param>
/// <param name="Why">The reasons for the differences that apply here.</param>
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

/// <summary>An ECE with the rule it was computed by.</summary>
public sealed record BinnedEce(Binning Binning, int Bins, double Ece)
{
    internal static BinnedEce Of(Predictions predictions, Binning binning)
    {
        var bins = binning.DefaultCount();
        return new(binning, bins, CalibrationError.Expected(BinSums.EqualWidth(predictions.Confidences, predictions.Hits, bins, binning)));
    }
}
