using System.Globalization;

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
/// <param name="PValue">Of the consistency test: how often a calibrated model would show an ECE at least this large. Below 0.05 it is rejected.</param>
/// <param name="Sentence">The answer for people, with its figures.</param>
public sealed record Verdict(VerdictName Name, double PValue, string Sentence)
{
    /// <summary>Level of the consistency test, which is the rate of false alarms.</summary>
    public const double Level = 0.05;

    /// <summary>An ECE that matters. Where chance alone can reach it, a test that rejects nothing says nothing.</summary>
    public const double SizeableEce = 0.05;

    internal static Verdict Of(double ece, double signedGap, Interval gapInterval, ConsistencyTest test)
    {
        var name = NameOf(test, gapInterval);
        var gap = $"{Show(Math.Abs(signedGap))} (95 % interval of the gap {Show(gapInterval.Low)} to {Show(gapInterval.High)})";
        var chance = $"ECE is {Show(ece)}, where chance alone would give {Show(test.Ece.Band.Low)} to {Show(test.Ece.Band.High)}";
        return new(name, test.PValue, name switch
        {
            VerdictName.OverConfident => $"Over-confident: mean confidence is above accuracy by {gap}; {chance}.",
            VerdictName.UnderConfident => $"Under-confident: mean confidence is below accuracy by {gap}; {chance}.",
            VerdictName.MiscalibratedBothWays => $"Miscalibrated both ways: mean confidence agrees with accuracy to within {gap}, but not bin by bin; {chance}.",
            VerdictName.Calibrated => $"Calibrated, as far as these images can tell: {chance}.",
            _ => $"Insufficient data: {chance}, so an error of {Show(SizeableEce)} could go unseen.",
        });
    }

    private static VerdictName NameOf(ConsistencyTest test, Interval gap)
    {
        if (test.PValue >= Level) return test.Ece.Band.High <= SizeableEce ? VerdictName.Calibrated : VerdictName.InsufficientData;
        if (gap.Low > 0) return VerdictName.OverConfident;
        return gap.High < 0 ? VerdictName.UnderConfident : VerdictName.MiscalibratedBothWays;
    }

    private static string Show(double value) => value.ToString("0.0000", CultureInfo.InvariantCulture);
}
