using System.Globalization;
using System.Text;
using static System.Net.WebUtility;

namespace Temper.Api.Studies.Report;

/// <summary>Writes a chart: marks on a plane, its axes, a title above and a note below.</summary>
internal static class Chart
{
    private const double Right = 12,
        Bottom = 34;

    public static string Write(
        string title,
        string note,
        string xName,
        Plane plane,
        IEnumerable<(double Value, string Text)> xTicks,
        IEnumerable<string> marks
    )
    {
        var (width, height) = (plane.X.End + Right, plane.Y.Start + Bottom);
        return FormattableString.Invariant(
            $"""
            <figure>
            <figcaption>{HtmlEncode(title)}</figcaption>
            <svg viewBox="0 0 {width} {height}" role="img" aria-label="{HtmlEncode(title)}">
            {Axes(plane, xName, xTicks)}{string.Concat(marks)}
            </svg>
            <p>{HtmlEncode(note)}</p>
            </figure>

            """
        );
    }

    /// <summary>Marks in the colour of one series.</summary>
    public static string Series(int hue, IEnumerable<string> marks) =>
        $"<g class=\"series\" style=\"--hue:{hue}\">{string.Concat(marks)}</g>";

    /// <summary>Names the series; empty for a single series, which needs no name.</summary>
    public static string Legend(IReadOnlyCollection<(string Name, int Hue)> series) =>
        series.Count < 2 ? "" : $"<ul class=\"legend\">{string.Concat(series.Select(Item))}</ul>\n";

    private static string Item((string Name, int Hue) series) => $"<li style=\"--hue:{series.Hue}\">{HtmlEncode(series.Name)}</li>";

    /// <summary>Hues from blue through purple and red to orange, so that the order of many series is visible.</summary>
    /// <returns>The hue in degrees.</returns>
    public static int Hue(int place, int count) => (215 + (count < 2 ? 0 : 180 * place / (count - 1))) % 360;

    private static string Axes(Plane plane, string xName, IEnumerable<(double Value, string Text)> xTicks)
    {
        var (x, y, svg) = (plane.X, plane.Y, new StringBuilder("<g class=\"axes\">"));
        foreach (var (value, text) in y.Ticks())
            svg.Append(
                CultureInfo.InvariantCulture,
                $"<path d=\"M{x.Start} {y.At(value):0.#}H{x.End}\"/><text class=\"y\" x=\"{x.Start - 6}\" "
                    + $"y=\"{y.At(value) + 3.5:0.#}\">{text}</text>"
            );
        foreach (var (value, text) in xTicks)
            svg.Append(
                CultureInfo.InvariantCulture,
                $"<path d=\"M{x.At(value):0.#} {y.Start}v4\"/><text class=\"x\" x=\"{x.At(value):0.#}\" y=\"{y.Start + 15}\">{text}</text>"
            );
        return svg.Append(
                CultureInfo.InvariantCulture,
                $"<path d=\"M{x.Start} {y.Start}H{x.End}\"/><text class=\"x\" x=\"{(x.Start + x.End) / 2}\" "
                    + $"y=\"{y.Start + 29}\">{HtmlEncode(xName)}</text></g>"
            )
            .ToString();
    }
}
