using System.Globalization;
using System.Text;
using static System.Net.WebUtility;

namespace Temper.Api.Studies.Report;

/// <summary>
/// The area between two axes, with marks on it as SVG. A value that is not finite gets no mark. The page's CSS sets the
/// colours of the marks, so that they follow its light or dark scheme.
/// </summary>
internal sealed record Plane(Scale X, Scale Y)
{
    public const double Left = 46,
        Top = 8,
        Width = 262;

    /// <summary>Makes a plane that is wide enough for all finite values.</summary>
    public static Plane Over(IEnumerable<double> xs, IEnumerable<double> ys, double height = 168) =>
        new(Scale.Over(xs, Left, Left + Width), Scale.Over(ys, Top + height, Top));

    public string Dot(double x, double y, double radius, string kind, string? tip = null) =>
        !IsOnPlane(x, y)
            ? ""
            : string.Create(
                CultureInfo.InvariantCulture,
                $"<circle class=\"{kind}\" cx=\"{X.At(x):0.#}\" cy=\"{Y.At(y):0.#}\" "
                    + $"r=\"{radius}\"{(tip is null ? "/>" : $"><title>{HtmlEncode(tip)}</title></circle>")}"
            );

    /// <summary>Joins the points with straight lines; a single point becomes a dot.</summary>
    public string Line(IReadOnlyList<(double X, double Y)> points, string kind, string? tip = null)
    {
        points = [.. points.Where(point => IsOnPlane(point.X, point.Y))];
        if (points.Count == 0)
            return "";
        if (points.Count == 1)
            return Dot(points[0].X, points[0].Y, 3, "point", tip);
        var path = new StringBuilder();
        foreach (var (x, y) in points)
            path.Append(CultureInfo.InvariantCulture, $"{(path.Length == 0 ? "" : " ")}{X.At(x):0.#},{Y.At(y):0.#}");
        return $"<polyline class=\"{kind}\" points=\"{path}\">{(tip is null ? "" : $"<title>{HtmlEncode(tip)}</title>")}</polyline>";
    }

    /// <summary>Draws an interval as a vertical bar.</summary>
    public string Whisker(double x, double low, double high) =>
        !IsOnPlane(x, low) || !IsOnPlane(x, high)
            ? ""
            : string.Create(
                CultureInfo.InvariantCulture,
                $"<path class=\"whisker\" d=\"M{X.At(x):0.#} {Y.At(low):0.#}V{Y.At(high):0.#}m-3 0h6m-3 0V{Y.At(low):0.#}m-3 0h6\"/>"
            );

    /// <summary>Draws a column from the lower end of the scale up to the value.</summary>
    public string Column(double from, double to, double high, string tip) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"<rect class=\"column\" x=\"{X.At(from) + 0.5:0.#}\" y=\"{Y.At(high):0.#}\" width=\"{X.At(to) - X.At(from) - 1:0.#}\" "
                + $"height=\"{Y.Start - Y.At(high):0.#}\"><title>{HtmlEncode(tip)}</title></rect>"
        );

    private static bool IsOnPlane(double x, double y) => double.IsFinite(x) && double.IsFinite(y);
}
