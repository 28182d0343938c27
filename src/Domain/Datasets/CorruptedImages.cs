using System.Numerics;

namespace Temper.Domain.Datasets;

/// <summary>
/// Corrupts images of one size. What is random depends only on the seed and the image's index, not on the strength: the noise of a
/// stronger corruption is that of a weaker one, magnified. So accuracies of two strengths differ by the strength alone.
/// </summary>
/// <param name="channels">C.</param>
/// <param name="height">H.</param>
/// <param name="width">W.</param>
/// <param name="seed">The seed of the job's spec.</param>
public sealed class CorruptedImages(Corruption corruption, int channels, int height, int width, long seed)
{
    /// <summary>Streams of a kind are 2³² apart, so that every image has its own. Augmentation uses those below 2⁴¹.</summary>
    private const ulong Stream = 1UL << 41;

    /// <summary>Beyond three standard deviations a Gaussian weighs less than a rounding of the value.</summary>
    private const double BlurReach = 3;

    private readonly float[] weights = corruption.Kind == CorruptionKind.Blur ? GaussianWeights(corruption.BlurPixels(height, width)) : [];

    private readonly float[] plane = new float[height * width];
    private readonly float[] sums = new float[height * width];
    private float[] padded = [];

    /// <summary>Corrupts one image. Not for several threads at once.</summary>
    /// <param name="image">C×H×W.</param>
    /// <param name="index">Place of the image in its part of the data set.</param>
    /// <param name="corrupted">C×H×W; receives the result, rounded to whole numbers from 0 to 255.</param>
    public void Write(ReadOnlySpan<byte> image, long index, Span<byte> corrupted)
    {
        var random = new SplitMix64(seed, Stream + ((ulong)corruption.Kind << 32) + (ulong)index);
        switch (corruption.Kind)
        {
            case CorruptionKind.Noise:
                AddNoise(image, corruption.Severity * byte.MaxValue, random, corrupted);
                break;
            case CorruptionKind.Rotation:
                var degrees = random.NextInt32(2) == 0 ? corruption.Severity : -corruption.Severity;
                Rotate(image, degrees * Math.PI / 180, corrupted);
                break;
            default:
                var area = height * width;
                for (var c = 0; c < channels; c++)
                {
                    var from = image.Slice(c * area, area);
                    var to = corrupted.Slice(c * area, area);
                    if (corruption.Kind == CorruptionKind.Blur)
                        Blur(from, to);
                    else
                        ReduceContrast(from, corruption.Severity, to);
                }
                break;
        }
    }

    private static void AddNoise(ReadOnlySpan<byte> image, double deviation, SplitMix64 random, Span<byte> corrupted)
    {
        for (var i = 0; i < image.Length; i += 2)
        {
            // Box and Muller 1958. 1 − u is above 0, and its logarithm finite.
            var radius = deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            var (sine, cosine) = Math.SinCos(2 * Math.PI * random.NextDouble());
            corrupted[i] = ToByte(image[i] + radius * cosine);
            if (i + 1 < image.Length)
                corrupted[i + 1] = ToByte(image[i + 1] + radius * sine);
        }
    }

    /// <summary>Convolves the columns and then the rows.</summary>
    private void Blur(ReadOnlySpan<byte> image, Span<byte> blurred)
    {
        var reach = weights.Length / 2;
        for (var i = 0; i < image.Length; i++)
            plane[i] = image[i];
        Array.Clear(sums);
        for (var y = 0; y < height; y++)
        for (var k = -reach; k <= reach; k++)
            AddScaled(plane.AsSpan(Math.Clamp(y + k, 0, height - 1) * width, width), weights[k + reach], sums.AsSpan(y * width, width));
        if (padded.Length == 0)
            padded = new float[width + 2 * reach];
        for (var y = 0; y < height; y++)
        {
            var row = sums.AsSpan(y * width, width);
            padded.AsSpan(0, reach).Fill(row[0]);
            row.CopyTo(padded.AsSpan(reach));
            padded.AsSpan(reach + width).Fill(row[^1]);
            row.Clear();
            for (var k = 0; k < weights.Length; k++)
                AddScaled(padded.AsSpan(k, width), weights[k], row);
            for (var x = 0; x < width; x++)
                blurred[y * width + x] = ToByte(row[x]);
        }
    }

    /// <summary>Rotates by an angle in radians, clockwise as the image is seen.</summary>
    private void Rotate(ReadOnlySpan<byte> image, double angle, Span<byte> rotated)
    {
        var (sine, cosine) = Math.SinCos(angle);
        double centreY = (height - 1) / 2.0,
            centreX = (width - 1) / 2.0;
        var area = height * width;
        for (var y = 0; y < height; y++)
        for (var x = 0; x < width; x++)
        {
            // The place that this pixel shows, between the four pixels around it.
            double fromX = centreX + (x - centreX) * cosine + (y - centreY) * sine,
                fromY = centreY + (y - centreY) * cosine - (x - centreX) * sine;
            double left = Math.Floor(fromX),
                top = Math.Floor(fromY),
                right = fromX - left,
                down = fromY - top;
            for (var c = 0; c < channels; c++)
            {
                var from = image.Slice(c * area, area);
                var value =
                    (1 - down) * ((1 - right) * At(from, top, left) + right * At(from, top, left + 1))
                    + down * ((1 - right) * At(from, top + 1, left) + right * At(from, top + 1, left + 1));
                rotated[c * area + y * width + x] = ToByte(value);
            }
        }
    }

    private byte At(ReadOnlySpan<byte> image, double y, double x) =>
        y >= 0 && y < height && x >= 0 && x < width ? image[(int)y * width + (int)x] : (byte)0;

    private static void ReduceContrast(ReadOnlySpan<byte> image, double factor, Span<byte> reduced)
    {
        long sum = 0;
        foreach (var value in image)
            sum += value;
        var mean = (double)sum / image.Length;
        for (var i = 0; i < image.Length; i++)
            reduced[i] = ToByte(mean + factor * (image[i] - mean));
    }

    /// <returns>An odd number of weights with the sum 1.</returns>
    private static float[] GaussianWeights(double deviation)
    {
        var reach = (int)Math.Ceiling(BlurReach * deviation);
        double[] exact = [.. Enumerable.Range(-reach, 2 * reach + 1).Select(k => Math.Exp(-k * k / (2 * deviation * deviation)))];
        var sum = exact.Sum();
        return [.. exact.Select(weight => (float)(weight / sum))];
    }

    /// <summary>Adds <paramref name="weight"/> times the values, in a way that gives the same sums with any vector width.</summary>
    private static void AddScaled(ReadOnlySpan<float> values, float weight, Span<float> sums)
    {
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(sums[i..]) + new Vector<float>(values[i..]) * weight).CopyTo(sums[i..]);
        for (; i < values.Length; i++)
            sums[i] += values[i] * weight;
    }

    private static byte ToByte(double value) => (byte)Math.Clamp(Math.Round(value), byte.MinValue, byte.MaxValue);
}
