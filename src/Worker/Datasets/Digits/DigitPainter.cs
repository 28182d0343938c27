using Temper.Domain;
using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets.Digits;

/// <summary>
/// Draws the digit or the number of one class like handwriting, varied by the given generator. It uses only +, −, ×, ÷ and √, which
/// IEEE 754 rounds the same everywhere, so the pixels are the same on every machine.
/// </summary>
internal static class DigitPainter
{
    private const int PiecesPerCurve = 6;

    /// <param name="ink">Receives the image: Size×Size, row-major, from 0 (paper) to 1 (ink).</param>
    public static void Draw(DrawnDigits digits, int label, SplitMix64 random, Span<double> ink)
    {
        ink.Clear();
        var hand = Hand.Of(digits, random);
        if (!digits.HasTwoPlaces)
            DrawDigit(label, place: 0, hand, random, ink);
        else
            for (var place = 0; place < 2; place++)
                DrawDigit(place == 0 ? label / 10 : label % 10, place, hand, random, ink);
    }

    private static void DrawDigit(int digit, int place, Hand hand, SplitMix64 random, Span<double> ink)
    {
        foreach (var stroke in DigitStrokes.Of(digit))
        {
            var points = new double[stroke.Length];
            for (var i = 0; i < stroke.Length; i += 2)
                (points[i], points[i + 1]) = hand.Place((place + stroke[i]) / hand.Places, stroke[i + 1], random);
            for (var i = 0; i + 5 < points.Length; i += 4)
                DrawCurve(points.AsSpan(i, 6), hand, ink);
        }
    }

    private static void DrawCurve(ReadOnlySpan<double> curve, Hand hand, Span<double> ink)
    {
        var (x, y) = (curve[0], curve[1]);
        for (var piece = 1; piece <= PiecesPerCurve; piece++)
        {
            double t = (double)piece / PiecesPerCurve,
                a = (1 - t) * (1 - t),
                b = 2 * t * (1 - t),
                c = t * t;
            var (nextX, nextY) = (a * curve[0] + b * curve[2] + c * curve[4], a * curve[1] + b * curve[3] + c * curve[5]);
            DrawLine(x, y, nextX, nextY, hand, ink);
            (x, y) = (nextX, nextY);
        }
    }

    /// <summary>Sets each pixel by its distance to the line: full ink inside the pen's width, fading over one pixel.</summary>
    private static void DrawLine(double x0, double y0, double x1, double y1, Hand hand, Span<double> ink)
    {
        double reach = hand.Thickness / 2 + 0.5,
            dx = x1 - x0,
            dy = y1 - y0,
            lengthSquared = dx * dx + dy * dy;
        int left = Math.Max(0, (int)(Math.Min(x0, x1) - reach)),
            right = Math.Min(hand.Size - 1, (int)(Math.Max(x0, x1) + reach) + 1);
        int top = Math.Max(0, (int)(Math.Min(y0, y1) - reach)),
            bottom = Math.Min(hand.Size - 1, (int)(Math.Max(y0, y1) + reach) + 1);
        for (var row = top; row <= bottom; row++)
        for (var column = left; column <= right; column++)
        {
            double px = column - x0,
                py = row - y0;
            var along = lengthSquared == 0 ? 0 : Math.Clamp((px * dx + py * dy) / lengthSquared, 0, 1);
            double ex = px - along * dx,
                ey = py - along * dy;
            var value = Math.Clamp(reach - Math.Sqrt(ex * ex + ey * ey), 0, 1);
            ref var pixel = ref ink[row * hand.Size + column];
            pixel = Math.Max(pixel, value);
        }
    }

    /// <summary>
    /// The properties of one handwriting. Thickness of the pen, side of the box that the strokes fill, and position are in pixels;
    /// width and height are shares of the box.
    /// </summary>
    private readonly record struct Hand(
        int Size,
        int Places,
        double Thickness,
        double Box,
        double Width,
        double Height,
        double Slant,
        double Turn,
        double X,
        double Y
    )
    {
        private const double Tremor = 0.07;

        /// <summary>The lengths below are for images of this size and grow with them.</summary>
        private const double UsualSize = 28,
            UsualBox = 20;

        /// <summary>The pen of two digits is thinner, because each has half of the width.</summary>
        private const double ThinPen = 0.6;

        public static Hand Of(DrawnDigits digits, SplitMix64 random)
        {
            var scale = digits.Size / UsualSize;
            return new(
                digits.Size,
                digits.HasTwoPlaces ? 2 : 1,
                Thickness: random.NextDouble(1.2, 3.2) * scale * (digits.HasTwoPlaces ? ThinPen : 1),
                Box: UsualBox * scale,
                Width: random.NextDouble(0.6, 1.05),
                Height: random.NextDouble(0.7, 1.05),
                Slant: random.NextDouble(-0.45, 0.25),
                Turn: random.NextDouble(-0.15, 0.15),
                X: random.NextDouble(-2.5, 2.5) * scale,
                Y: random.NextDouble(-2.5, 2.5) * scale
            );
        }

        public (double X, double Y) Place(double x, double y, SplitMix64 random)
        {
            var u = (x - 0.5 + random.NextDouble(-Tremor, Tremor)) * Width * Box;
            var v = (y - 0.5 + random.NextDouble(-Tremor, Tremor)) * Height * Box;
            var centre = (Size - 1) / 2.0;
            return (centre + X + u - Slant * v, centre + Y + v + Turn * u);
        }
    }
}
