using Temper.Domain;
using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets.Digits;

/// <summary>
/// A data set that needs no download, is small enough to over-fit within 20 epochs, and whose label uncertainty is known:
/// a share of the images are blends of two digits whose label was drawn by the blend's weight. What a perfectly
/// calibrated classifier would say of each image is kept beside it. docs/decisions/0010-digits.md has the figures it was tuned to.
/// </summary>
internal static class DigitsDataset
{
    public const string Name = "digits";

    /// <summary>Share of images that are blends.</summary>
    private const double BlendShare = 0.45;

    /// <summary>Largest change that noise makes to a pixel, as a share of full ink.</summary>
    private const double PixelNoise = 0.25;

    private const ulong TrainStream = 1UL << 32,
        TestStream = 2UL << 32;

    /// <param name="seed">0 is the data set that jobs train on; others exist for tests.</param>
    public static Dataset Draw(long seed = 0)
    {
        var card = DatasetCatalog.Find(Name)!;
        return new(card, DrawImages(card.TrainImages, seed, TrainStream), DrawImages(card.TestImages, seed, TestStream), []);
    }

    private static LabelledImages DrawImages(int count, long seed, ulong stream)
    {
        const int size = DigitPainter.Size * DigitPainter.Size;
        var (pixels, labels, blends) = (new byte[count * size], new byte[count], new Blend[count]);
        for (var i = 0; i < count; i++)
        {
            // A sequence of its own for each image: one image does not depend on how many there are.
            var random = new SplitMix64(seed, stream + (ulong)i);
            blends[i] = DrawBlend(random);
            labels[i] = random.NextDouble() < blends[i].Weight ? blends[i].First : blends[i].Second;
            DrawImage(blends[i], random, pixels.AsSpan(i * size, size));
        }
        return new(pixels, labels, blends);
    }

    private static Blend DrawBlend(SplitMix64 random)
    {
        var first = random.NextInt32(10);
        var second = (first + 1 + random.NextInt32(9)) % 10;
        var weight = random.NextDouble() < BlendShare ? random.NextDouble(0.5, 1) : 1;
        return new((byte)first, (byte)second, weight);
    }

    private static void DrawImage(Blend blend, SplitMix64 random, Span<byte> pixels)
    {
        Span<double> first = stackalloc double[pixels.Length],
            second = stackalloc double[pixels.Length];
        DigitPainter.Draw(blend.First, random, first);
        if (blend.Weight < 1)
            DigitPainter.Draw(blend.Second, random, second);
        var contrast = random.NextDouble(0.7, 1);
        for (var i = 0; i < pixels.Length; i++)
        {
            var ink = contrast * (blend.Weight * first[i] + (1 - blend.Weight) * second[i]) + random.NextDouble(-PixelNoise, PixelNoise);
            pixels[i] = (byte)(Math.Clamp(ink, 0, 1) * 255);
        }
    }
}
