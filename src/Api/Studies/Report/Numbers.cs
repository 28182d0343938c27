using Temper.Domain;

namespace Temper.Api.Studies.Report;

/// <summary>Formats numbers for the report, independent of the culture.</summary>
internal static class Numbers
{
    private const int MostDecimals = 6;

    /// <summary>Numbers from this size on are written with four significant digits and an exponent.</summary>
    private const double Long = 1e9;

    private const string NotFinite = "–";

    /// <summary>Formats with at most four significant digits.</summary>
    public static string Short(double value) => double.IsFinite(value) ? Numeral.Of(value, "G4") : NotFinite;

    /// <summary>Formats with all digits of the value.</summary>
    public static string Exact(double value) => Numeral.Of(value, "R");

    public static string Fixed(double value, int decimals) =>
        Math.Abs(value) < Long ? Numeral.Of(Math.Round(value, decimals), $"F{decimals}") : Short(value);

    /// <summary>Formats with enough decimals to show two digits of the error, which is half the interval's width.</summary>
    public static (string Mean, string? HalfInterval) Mean(MeanOverSeeds mean)
    {
        if (mean.Interval is not { } interval)
            return (Short(mean.Mean), null);
        var half = (interval.High - interval.Low) / 2;
        if (half == 0)
            return (Short(mean.Mean), "0");
        var decimals = Math.Clamp(1 - (int)Math.Floor(Math.Log10(half)), 0, MostDecimals);
        return (Fixed(mean.Mean, decimals), Fixed(half, decimals));
    }
}
