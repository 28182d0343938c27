using System.Globalization;
using Temper.Domain.Studies;

namespace Temper.Bench;

/// <summary>Prints tables in Markdown.</summary>
internal static class Markdown
{
    public static void Head(IReadOnlyList<string> titles)
    {
        Row(titles);
        Console.WriteLine($"|{string.Concat(titles.Select(_ => "---|"))}");
    }

    public static void Row(IEnumerable<string> cells) => Console.WriteLine($"| {string.Join(" | ", cells)} |");

    /// <summary>The mean ± half of its 95 % interval.</summary>
    public static string Mean(IEnumerable<double> values, int decimals)
    {
        var (mean, half) = values.ToList().Interval();
        var format = $"F{decimals}";
        return $"{mean.ToString(format, CultureInfo.InvariantCulture)} ± {half.ToString(format, CultureInfo.InvariantCulture)}";
    }

    /// <summary>The mean difference [its 95 % interval], with signs.</summary>
    public static string Difference(PairedDifference difference, int decimals)
    {
        var interval = difference.Interval(0.025)!.Value;
        return $"{Signed(difference.Mean)} [{Signed(interval.Low)}, {Signed(interval.High)}]";

        string Signed(double value)
        {
            var shown = value.ToString($"F{decimals}", CultureInfo.InvariantCulture);
            return value < 0 ? shown.Replace('-', '−') : $"+{shown}";
        }
    }
}
