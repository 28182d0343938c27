using System.Globalization;

namespace Temper.Domain;

/// <summary>Numbers in sentences, the same whatever the culture.</summary>
public static class Numeral
{
    /// <returns>With the minus sign − (U+2212), and no sign where rounding leaves 0.</returns>
    /// <param name="format">A numeric format of .NET.</param>
    public static string Of(double value, string format)
    {
        var text = value.ToString(format, CultureInfo.InvariantCulture).Replace('-', '−');
        return text.StartsWith('−') && text.AsSpan().IndexOfAnyInRange('1', '9') < 0 ? text[1..] : text;
    }

    /// <summary>Three or four significant digits where that takes no more than six decimals.</summary>
    public static string Show(double value) =>
        Of(
            value,
            Math.Abs(value) switch
            {
                >= 0.1 or 0 => "0.000",
                >= 0.001 => "0.0000",
                _ => "0.000000",
            }
        );

    /// <summary>Two values with as many decimals more as it takes, up to nine, to see that they differ.</summary>
    public static (string One, string Other) ShowApart(double one, double other)
    {
        var (shown, beside) = (Show(one), Show(other));
        for (var decimals = 4; shown == beside && decimals <= 9; decimals++)
            (shown, beside) = (Of(one, $"F{decimals}"), Of(other, $"F{decimals}"));
        return (shown, beside);
    }
}
