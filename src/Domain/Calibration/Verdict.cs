using Temper.Domain.Calibration.Measures;

namespace Temper.Domain.Calibration;

/// <summary>The verdict on the calibration of a model's largest probability.</summary>
public enum VerdictName
{
    /// <summary>The error is no larger than chance alone would give, and the test would have found a sizeable error.</summary>
    Calibrated,

    /// <summary>Not calibrated; mean confidence is above accuracy.</summary>
    OverConfident,

    /// <summary>Not calibrated; mean confidence is below accuracy.</summary>
    UnderConfident,

    /// <summary>
    /// Not calibrated; mean confidence agrees with accuracy but is too high in some bins and too low in others.
    /// </summary>
    MiscalibratedBothWays,

    /// <summary>The test found no error, but with this few images chance could hide a sizeable one.</summary>
    InsufficientData,
}

/// <summary>Whether the model is calibrated, with the evidence.</summary>
/// <param name="Name">The verdict as a name.</param>
/// <param name="PValue">P-value of the consistency test: how often a calibrated model would show an ECE at least this large.
/// Below 0.05 the test rejects calibration.</param>
/// <param name="Sentence">The verdict as a sentence with its figures, and what the kernel test says.</param>
/// <param name="Kernel">Second test: whether the probabilities of all classes are calibrated together. It does not change the name. Null
/// for one image.</param>
public sealed record Verdict(VerdictName Name, double PValue, string Sentence, KernelCalibrationError? Kernel)
{
    /// <summary>Level of each of the two tests: its rate of false alarms.</summary>
    public const double Level = 0.05;

    /// <summary>
    /// The smallest ECE that matters. If chance alone can exceed it, a test that does not reject is inconclusive.
    /// </summary>
    public const double SizeableEce = 0.05;

    internal static Verdict Of(
        Predictions predictions,
        double ece,
        Interval gapInterval,
        ConsistencyTest test,
        KernelCalibrationError? kernel
    )
    {
        var name = NameOf(predictions, gapInterval, test);
        var gap = $"{Show(Math.Abs(predictions.SignedGap))} ({Range(name, gapInterval, test.SignedGap.Band)})";
        var chance = $"ECE is {Show(ece)}{Against(test)}";
        var second = Second(name, kernel, predictions);
        return new(
            name,
            test.PValue,
            name switch
            {
                VerdictName.OverConfident => $"Over-confident: mean confidence is above accuracy by {gap}; {chance}{second}.",
                VerdictName.UnderConfident => $"Under-confident: mean confidence is below accuracy by {gap}; {chance}{second}.",
                VerdictName.MiscalibratedBothWays =>
                    $"Miscalibrated both ways: over all images mean confidence and accuracy differ by {gap}, no more than by chance, "
                        + $"but in the single bins by more; {chance}{second}.",
                VerdictName.Calibrated when kernel?.Rejects == true =>
                    $"The largest probability is calibrated, as far as these images can tell: {chance}{second}.",
                VerdictName.Calibrated => $"Calibrated, as far as these images can tell: {chance}{second}.",
                _ => $"Insufficient data: {chance}; with {predictions.Count} images an error of {Show(SizeableEce)} could go unseen"
                    + $"{second}.",
            },
            kernel
        );
    }

    /// <summary>What the kernel test says, as a clause; empty without a test.</summary>
    private static string Second(VerdictName name, KernelCalibrationError? kernel, Predictions predictions)
    {
        if (kernel?.PValue is not { } p)
            return "";
        var (test, all) = ($"kernel test of all {predictions.Classes} classes", $"all {predictions.Classes} classes together");
        var evidence = $"p = {Numeral.Of(p, "0.0####")}{(kernel.Images < predictions.Count ? $", {kernel.Images} of the images" : "")}";
        return (name is VerdictName.Calibrated or VerdictName.InsufficientData, kernel.Rejects) switch
        {
            (true, true) => $"; the probabilities of {all} are not calibrated (kernel test, {evidence})",
            (true, false) => $"; the {test} finds nothing either ({evidence})",
            (false, true) => $"; the {test} rejects too ({evidence})",
            (false, false) => $"; the {test} does not reject ({evidence})",
        };
    }

    /// <summary>
    /// The evidence on the gap's sign: its interval or, for a verdict with a sign whose interval covers 0, the band of chance
    /// alone.
    /// </summary>
    private static string Range(VerdictName name, Interval gap, Interval chance) =>
        name is VerdictName.OverConfident or VerdictName.UnderConfident && gap is { Low: <= 0, High: >= 0 }
            ? $"chance alone would give a gap of {Show(chance.Low)} to {Show(chance.High)}"
            : $"95 % interval of the gap {Show(gap.Low)} to {Show(gap.High)}";

    /// <summary>The one-sided limit of the test: chance alone exceeds it in at most 5 % of cases.</summary>
    private static string Against(ConsistencyTest test) =>
        test.Ece.Limit is { } limit
            ? $", and chance alone would give {Show(limit)} or less in 95 % of cases"
            : ", and too few draws were made to say what chance alone would give";

    private static VerdictName NameOf(Predictions predictions, Interval gap, ConsistencyTest test)
    {
        if (test.PValue >= Level)
            return WouldNotice(predictions, test) ? VerdictName.Calibrated : VerdictName.InsufficientData;
        // With very few errors, many bootstrap resamples contain none of them, and the interval may cover 0 for that reason only.
        // The band of chance alone therefore decides too.
        if (gap.Low > 0 || predictions.SignedGap > test.SignedGap.Band.High)
            return VerdictName.OverConfident;
        return gap.High < 0 || predictions.SignedGap < test.SignedGap.Band.Low
            ? VerdictName.UnderConfident
            : VerdictName.MiscalibratedBothWays;
    }

    /// <summary>
    /// Whether the test would find a sizeable ECE. Chance alone must not exceed it, and the interval of the accuracy must stay
    /// within it of the mean confidence. The second condition is needed because near confidence 1 chance alone gives almost no
    /// error, however few images there are.
    /// </summary>
    private static bool WouldNotice(Predictions predictions, ConsistencyTest test)
    {
        var accuracy = Interval.Wilson(predictions.Hits.Sum(), predictions.Count);
        var confidence = predictions.Confidences.Average();
        return test.Ece.Limit <= SizeableEce && confidence - accuracy.Low <= SizeableEce && accuracy.High - confidence <= SizeableEce;
    }

    private static string Show(double value) => Numeral.Of(value, "0.0000");
}
