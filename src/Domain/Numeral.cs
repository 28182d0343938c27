using System.Globalization;

namespace Temper.Domain;

/// <summary>Formats numbers for sentences, independent of the culture.</summary>
public static class Numeral
{
    /// <returns>The number with the minus sign − (U+2212), and without a sign when it rounds to 0.</returns>
    /// <param name="format">A .NET numeric format string.</param>
    public static string Of(double value, string format)
    {
        var text = value.ToString(format, CultureInfo.InvariantCulture).Replace('-', '−');
        return text.StartsWith('−') && text.AsSpan().IndexOfAnyInRange('1', '9') < 0 ? text[1..] : text;
    }

    /// <summary>Three decimals from 0.1 on, four decimals from 0.001 on, otherwise six decimals; "0" for what these round to 0.</summary>
    public static string Show(double value) =>
        Of(
            value,
            Math.Abs(value) switch
            {
                >= 0.1 => "0.000",
                >= 0.001 => "0.0000",
                < 0.0000005 => "0",
                _ => "0.000000",
            }
        );

    /// <summary>As <see cref="Show"/>, with a plus sign before a number above 0.</summary>
    public static string Signed(double value) => Show(value) is var text && value > 0 && text != "0" ? $"+{text}" : text;

    /// <summary>Formats two values as <see cref="Show"/> does; if they look the same, adds decimals, up to nine.</summary>
    public static (string One, string Other) ShowApart(double one, double other)
    {
        var (shown, beside) = (Show(one), Show(other));
        for (var decimals = 4; shown == beside && decimals <= 9; decimals++)
            (shown, beside) = (Of(one, $"F{decimals}"), Of(other, $"F{decimals}"));
        return (shown, beside);
    }
}
