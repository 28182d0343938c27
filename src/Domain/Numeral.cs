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
}
