using Temper.Domain;

namespace Temper.Worker.Datasets.Digits;

/// <summary>
/// Draws one digit like handwriting, varied by the given generator. It uses only +, −, ×, ÷ and √, which IEEE 754 rounds the
/// same everywhere, so the pixels are the same on every machine.
/// </summary>
internal static class DigitPainter
{
    public const int Size = 28;

    private const double BoxPixels = 20;
    private const int PiecesPerCurve = 6;

    /// <param name="ink">Receives the image: Size×Size, row-major, from 0 (paper) to 1 (ink).</param>
    public static void Draw(int digit, SplitMix64 random, Span<double> ink)
    {
        ink.Clear();
        var hand = Hand.Of(random);
        foreach (var stroke in DigitStrokes.Of(digit))
        {
            var points = new double[stroke.Length];
            for (var i = 0; i < stroke.Length; i += 2)
                (points[i], points[i + 1]) = hand.Place(stroke[i], stroke[i + 1], random);
            for (var i = 0; i + 5 < points.Length; i += 4)
                DrawCurve(points.AsSpan(i, 6), hand.Thickness, ink);
        }
    }

    private static void DrawCurve(ReadOnlySpan<double> curve, double thickness, Span<double> ink)
    {
        var (x, y) = (curve[0], curve[1]);
        for (var piece = 1; piece <= PiecesPerCurve; piece++)
        {
            double t = (double)piece / PiecesPerCurve,
                a = (1 - t) * (1 - t),
                b = 2 * t * (1 - t),
                c = t * t;
            var (nextX, nextY) = (a * curve[0] + b * curve[2] + c * curve[4], a * curve[1] + b * curve[3] + c * curve[5]);
            DrawLine(x, y, nextX, nextY, thickness, ink);
            (x, y) = (nextX, nextY);
        }
    }

    /// <summary>Sets each pixel by its distance to the line: full ink inside the pen's width, fading over one pixel.</summary>
    private static void DrawLine(double x0, double y0, double x1, double y1, double thickness, Span<double> ink)
    {
        double reach = thickness / 2 + 0.5,
            dx = x1 - x0,
            dy = y1 - y0,
            lengthSquared = dx * dx + dy * dy;
        int left = Math.Max(0, (int)(Math.Min(x0, x1) - reach)),
            right = Math.Min(Size - 1, (int)(Math.Max(x0, x1) + reach) + 1);
        int top = Math.Max(0, (int)(Math.Min(y0, y1) - reach)),
            bottom = Math.Min(Size - 1, (int)(Math.Max(y0, y1) + reach) + 1);
        for (var row = top; row <= bottom; row++)
        for (var column = left; column <= right; column++)
        {
            double px = column - x0,
                py = row - y0;
            var along = lengthSquared == 0 ? 0 : Math.Clamp((px * dx + py * dy) / lengthSquared, 0, 1);
            double ex = px - along * dx,
                ey = py - along * dy;
            var value = Math.Clamp(reach - Math.Sqrt(ex * ex + ey * ey), 0, 1);
            ref var pixel = ref ink[row * Size + column];
            pixel = Math.Max(pixel, value);
        }
    }

    /// <summary>The properties of one handwriting: thickness of the pen, size, slant, turn, position and tremor.</summary>
    private readonly record struct Hand(double Thickness, double Width, double Height, double Slant, double Turn, double X, double Y)
    {
        private const double Tremor = 0.07;

        public static Hand Of(SplitMix64 random) =>
            new(
                Thickness: random.NextDouble(1.2, 3.2),
                Width: random.NextDouble(0.6, 1.05),
                Height: random.NextDouble(0.7, 1.05),
                Slant: random.NextDouble(-0.45, 0.25),
                Turn: random.NextDouble(-0.15, 0.15),
                X: random.NextDouble(-2.5, 2.5),
                Y: random.NextDouble(-2.5, 2.5)
            );

        public (double X, double Y) Place(double x, double y, SplitMix64 random)
        {
            var u = (x - 0.5 + random.NextDouble(-Tremor, Tremor)) * Width * BoxPixels;
            var v = (y - 0.5 + random.NextDouble(-Tremor, Tremor)) * Height * BoxPixels;
            const double centre = (Size - 1) / 2.0;
            return (centre + X + u - Slant * v, centre + Y + v + Turn * u);
        }
    }
}
