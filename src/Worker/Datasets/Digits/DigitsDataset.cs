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
    public const string Name = "digits";

    /// <summary>Share of images that are blends.</summary>
    private const double BlendShare = 0.45;

    /// <summary>Largest change of a pixel by noise, as a share of full ink.</summary>
    private const double PixelNoise = 0.25;

    private const ulong TrainStream = 1UL << 32,
        TestStream = 2UL << 32;

    /// <param name="seed">0 gives the data set that jobs train on; tests use other seeds.</param>
    public static Dataset Draw(long seed = 0)
    {
        var card = DatasetCatalog.Find(Name)!;
        return new(card, DrawImages(card.TrainImages, seed, TrainStream), DrawImages(card.TestImages, seed, TestStream), []);
    }

    private static LabelledImages DrawImages(int count, long seed, ulong stream)
    {
        const int size = DigitPainter.Size * DigitPainter.Size;
        var (pixels, labels, blends) = (new byte[count * size], new ushort[count], new Blend[count]);
        for (var i = 0; i < count; i++)
        {
            // Each image has its own random sequence, so it does not depend on the number of images.
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
