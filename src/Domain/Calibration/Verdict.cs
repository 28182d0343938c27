namespace Temper.Domain.Calibration;

/// <summary>The answer in a word.</summary>
public enum VerdictName
{
    /// <summary>What is seen is what chance alone would show, and an error of some size would have been noticed.</summary>
    Calibrated,

    /// <summary>Not calibrated, and mean confidence lies above accuracy.</summary>
    OverConfident,

    /// <summary>Not calibrated, and mean confidence lies below accuracy.</summary>
    UnderConfident,

    /// <summary>Not calibrated, but mean confidence agrees with accuracy: too high in some bins, too low in others.</summary>
    MiscalibratedBothWays,

    /// <summary>Nothing was noticed, but with so few images chance alone could hide a sizeable error.</summary>
    InsufficientData,
}

/// <summary>Whether the model is calibrated.</summary>
/// <param name="Name">The answer in a word.</param>
/// <param name="PValue">Of the consistency test: how often a calibrated model would show an ECE at least this large. Below 0.05
/// it is rejected.</param>
/// <param name="Sentence">The answer for people, with its figures.</param>
public sealed record Verdict(VerdictName Name, double PValue, string Sentence)
{
    /// <summary>Level of the consistency test, which is the rate of false alarms.</summary>
    public const double Level = 0.05;

    /// <summary>An ECE that matters. Where chance alone can reach it, a test that rejects nothing says nothing.</summary>
    public const double SizeableEce = 0.05;

    internal static Verdict Of(Predictions predictions, double ece, Interval gapInterval, ConsistencyTest test)
    {
        var name = NameOf(predictions, gapInterval, test);
        var gap = $"{Show(Math.Abs(predictions.SignedGap))} ({Range(name, gapInterval, test.SignedGap.Band)})";
        var chance = $"ECE is {Show(ece)}{Against(test)}";
        return new(
            name,
            test.PValue,
            name switch
            {
                VerdictName.OverConfident => $"Over-confident: mean confidence is above accuracy by {gap}; {chance}.",
                VerdictName.UnderConfident => $"Under-confident: mean confidence is below accuracy by {gap}; {chance}.",
                VerdictName.MiscalibratedBothWays =>
                    $"Miscalibrated both ways: over all images mean confidence and accuracy differ by {gap}, no more than by chance, "
                        + $"but in the single bins by more; {chance}.",
                VerdictName.Calibrated => $"Calibrated, as far as these images can tell: {chance}.",
                _ => $"Insufficient data: {chance}; with {predictions.Count} images an error of {Show(SizeableEce)} could go unseen.",
            }
        );
    }

    /// <summary>Why the gap's sign is sure, or not: by its interval, or where that covers 0 by what chance alone would give.</summary>
    private static string Range(VerdictName name, Interval gap, Interval chance) =>
        name is VerdictName.OverConfident or VerdictName.UnderConfident && gap is { Low: <= 0, High: >= 0 }
            ? $"chance alone would give a gap of {Show(chance.Low)} to {Show(chance.High)}"
            : $"95 % interval of the gap {Show(gap.Low)} to {Show(gap.High)}";

    /// <summary>The limit that the test was against, which has 5 % above it and none below.</summary>
    private static string Against(ConsistencyTest test) =>
        test.Ece.Limit is { } limit
            ? $", and chance alone would give {Show(limit)} or less in 95 % of cases"
            : ", and too few draws were made to say what chance alone would give";

    private static VerdictName NameOf(Predictions predictions, Interval gap, ConsistencyTest test)
    {
        if (test.PValue >= Level)
            return WouldNotice(predictions, test) ? VerdictName.Calibrated : VerdictName.InsufficientData;
        // A bootstrap of very few errors often draws none of them, and then covers 0 by its own weakness.
        if (gap.Low > 0 || predictions.SignedGap > test.SignedGap.Band.High)
            return VerdictName.OverConfident;
        return gap.High < 0 || predictions.SignedGap < test.SignedGap.Band.Low
            ? VerdictName.UnderConfident
            : VerdictName.MiscalibratedBothWays;
    }

    /// <summary>
    /// Neither may chance reach a sizeable ECE, nor may the accuracy, as far as so few images tell it, lie that far from the
    /// mean confidence: near confidence 1 chance alone gives almost nothing, however few there are.
    /// </summary>
    private static bool WouldNotice(Predictions predictions, ConsistencyTest test)
    {
        var accuracy = Interval.Wilson(predictions.Hits.Sum(), predictions.Count);
        var confidence = predictions.Confidences.Average();
        return test.Ece.Limit <= SizeableEce && confidence - accuracy.Low <= SizeableEce && accuracy.High - confidence <= SizeableEce;
    }

    private static string Show(double value) => Numeral.Of(value, "0.0000");
}
