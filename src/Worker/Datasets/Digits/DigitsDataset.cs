using Temper.Domain;
using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets.Digits;

/// <summary>
/// A drawn data set: it needs no download, is small enough to over-fit within 20 epochs, and has known label uncertainty. A share
/// of the images are blends of two digits; the blend's weight is the probability of the first one's label. Each image comes with
/// this true label distribution, which a perfectly calibrated classifier would predict. docs/decisions/0010-digits.md has the
/// figures that the set was tuned to.
/// </summary>
internal static class DigitsDataset
{
    /// <summary>Share of images that are blends.</summary>
    private const double BlendShare = 0.45;

    private const ulong TrainStream = 1UL << 32,
        TestStream = 2UL << 32;

    /// <param name="seed">0 gives the data set that jobs train on; tests use other seeds.</param>
    public static Dataset Draw(DrawnDigits digits, CancellationToken stop = default, long seed = 0)
    {
        var card = digits.Card();
        return new(
            card,
            DrawImages(digits, card.TrainImages, seed, TrainStream, stop),
            DrawImages(digits, card.TestImages, seed, TestStream, stop),
            []
        );
    }

    private static LabelledImages DrawImages(DrawnDigits digits, int count, long seed, ulong stream, CancellationToken stop)
    {
        var size = digits.Size * digits.Size;
        var (pixels, labels, blends) = (new byte[count * size], new ushort[count], new Blend[count]);
        for (var i = 0; i < count; i++)
        {
            stop.ThrowIfCancellationRequested();
            // Each image has its own random sequence, so it does not depend on the number of images.
            var random = new SplitMix64(seed, stream + (ulong)i);
            blends[i] = DrawBlend(digits.Classes, random);
            labels[i] = random.NextDouble() < blends[i].Weight ? blends[i].First : blends[i].Second;
            DrawImage(digits, blends[i], random, pixels.AsSpan(i * size, size));
        }
        return new(pixels, labels, blends);
    }

    private static Blend DrawBlend(int classes, SplitMix64 random)
    {
        var first = random.NextInt32(classes);
        var second = (first + 1 + random.NextInt32(classes - 1)) % classes;
        var weight = random.NextDouble() < BlendShare ? random.NextDouble(0.5, 1) : 1;
        return new((byte)first, (byte)second, weight);
    }

    private static void DrawImage(DrawnDigits digits, Blend blend, SplitMix64 random, Span<byte> pixels)
    {
        Span<double> first = stackalloc double[pixels.Length],
            second = stackalloc double[pixels.Length];
        DigitPainter.Draw(digits, blend.First, random, first);
        if (blend.Weight < 1)
            DigitPainter.Draw(digits, blend.Second, random, second);
        var contrast = random.NextDouble(0.7, 1);
        for (var i = 0; i < pixels.Length; i++)
        {
            var noise = random.NextDouble(-digits.Noise, digits.Noise);
            var ink = contrast * (blend.Weight * first[i] + (1 - blend.Weight) * second[i]) + noise;
            pixels[i] = (byte)(Math.Clamp(ink, 0, 1) * 255);
        }
    }
}
