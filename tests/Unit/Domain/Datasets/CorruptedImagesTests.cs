using Temper.Domain.Datasets;
using Temper.Worker.Datasets.Digits;

namespace Temper.Unit.Domain.Datasets;

public class CorruptedImagesTests
{
    private static readonly CorruptionKind[] AllKinds = Enum.GetValues<CorruptionKind>();

    public static TheoryData<CorruptionKind> Kinds => [.. AllKinds];

    [Fact]
    public void All_HasEveryKindWithEachStrength()
    {
        Assert.Equal(20, Corruption.All.Distinct().Count());
        Assert.Equal(new(CorruptionKind.Noise, 1), Corruption.All[0]);
        Assert.Equal(new(CorruptionKind.Contrast, 5), Corruption.All[^1]);
        Assert.Equal([0.08, 0.5, 10, 0.75], AllKinds.Select(kind => new Corruption(kind, 1).Severity));
        Assert.Equal([0.38, 2.5, 50, 0.15], AllKinds.Select(kind => new Corruption(kind, 5).Severity));
    }

    [Fact]
    public void Write_Contrast_MovesEachChannelTowardsItsOwnMean()
    {
        byte[] image = [0, 100, 200, 100, 10, 10, 10, 50];

        // Factor 0.5; the means are 100 and 20.
        Assert.Equal([50, 100, 150, 100, 15, 15, 15, 35], Corrupted(CorruptionKind.Contrast, 2, image, 2, 2, 2));
    }

    [Fact]
    public void Write_RotationOfAPoint_WeighsTheFourPixelsAround()
    {
        byte[] point = [0, 0, 0, 0, 200, 0, 0, 0, 0];

        // The centre stays. Its neighbours show places at (cos 10°, sin 10°) = (0.985, 0.174) from it: 200 · 0.015 · 0.826.
        Assert.Equal([0, 3, 0, 3, 200, 3, 0, 3, 0], Corrupted(CorruptionKind.Rotation, 1, point, 1, 3, 3));
    }

    [Fact]
    public void Write_RotationOfWhite_FillsTheCornersWithBlack()
    {
        byte[] white = [255, 255, 255, 255, 255, 255, 255, 255, 255];

        // A corner shows a place at cos 50° + sin 50° = 1.409 from the centre in one direction: 255 · (1 − 0.409).
        Assert.Equal([151, 255, 151, 255, 255, 255, 151, 255, 151], Corrupted(CorruptionKind.Rotation, 5, white, 1, 3, 3));
    }

    [Fact]
    public void Write_RotationOfManyImages_TurnsThemToBothSides()
    {
        var image = new byte[11 * 21];
        image[5 * 21 + 18] = 255; // right of the centre

        var sides = Enumerable
            .Range(0, 200)
            .Select(index => Corrupted(CorruptionKind.Rotation, 3, image, 1, 11, 21, index))
            .GroupBy(turned => Array.IndexOf(turned, turned.Max()) / 21)
            .ToDictionary(side => side.Key, side => side.Count());

        // 8 · sin 30° = 4 rows above or below.
        Assert.Equal([1, 9], sides.Keys.Order());
        Assert.InRange(sides[1], 70, 130);
    }

    [Fact]
    public void Write_BlurOfAPoint_IsTheProductOfTwoGaussians()
    {
        var point = new byte[32 * 32];
        point[16 * 32 + 16] = 255;

        var blurred = Corrupted(CorruptionKind.Blur, 1, point, 1, 32, 32);

        // Deviation 0.5: weights 0.7866, 0.1065 and 0.0003 at distances 0, 1 and 2.
        byte[] around = [.. Enumerable.Range(14, 5).SelectMany(y => blurred.AsSpan(y * 32 + 14, 5).ToArray())];
        Assert.Equal([0, 0, 0, 0, 0, 0, 3, 21, 3, 0, 0, 21, 158, 21, 0, 0, 3, 21, 3, 0, 0, 0, 0, 0, 0], around);
        Assert.Equal(around.Sum(value => value), blurred.Sum(value => value));
    }

    [Fact]
    public void Write_BlurAtTheBorder_RepeatsTheOutermostPixels()
    {
        byte[] stripe = [.. Enumerable.Range(0, 32 * 40).Select(i => i % 40 == 0 ? (byte)255 : (byte)0)];
        byte[] even = [.. Enumerable.Repeat((byte)200, 32 * 40)];

        var blurred = Corrupted(CorruptionKind.Blur, 1, stripe, 1, 32, 40);

        for (var y = 0; y < 32; y++)
            Assert.Equal([228, 27, 0, 0], blurred.AsSpan(y * 40, 4).ToArray()); // 255 · 0.8933 and 255 · 0.1067
        Assert.Equal(even, Corrupted(CorruptionKind.Blur, 5, even, 1, 32, 40));
    }

    [Fact]
    public void Write_BlurOfALargeImage_GrowsWithItsSmallerSide()
    {
        static int Reach(int side)
        {
            var image = new byte[side * 2 * side];
            image[side / 2 * 2 * side + side] = 255;
            var row = Corrupted(CorruptionKind.Blur, 2, image, 1, side, 2 * side).AsSpan(side / 2 * 2 * side, 2 * side).ToArray();
            return row.Count(value => value > row.Max() / 2);
        }

        // Values above half of the peak reach 1.18 deviations: of 1, 2 and 4 pixels.
        Assert.Equal([3, 5, 9], new[] { 32, 64, 128 }.Select(Reach));
    }

    [Fact]
    public void Write_Noise_HasItsDeviationAndIsClipped()
    {
        byte[] grey = [.. Enumerable.Repeat((byte)128, 20_001)];

        var noise = Corrupted(CorruptionKind.Noise, 1, grey, 1, 1, grey.Length).Select(value => value - 128.0).ToArray();
        var white = Corrupted(CorruptionKind.Noise, 3, [.. Enumerable.Repeat((byte)255, 20_000)], 1, 100, 200);

        Assert.InRange(noise.Average(), -0.5, 0.5);
        Assert.Equal(0.08 * 255, Math.Sqrt(noise.Average(value => value * value)), 0.4);
        Assert.Equal(0.683, noise.Count(value => Math.Abs(value) < 20.4) / 20_001.0, 0.015); // within one deviation
        Assert.InRange(noise.Zip(noise.Skip(1), (a, b) => a * b).Average(), -12, 12); // neighbours are independent; the variance is 416
        Assert.Equal(0.5, white.Count(value => value == 255) / 20_000.0, 0.02);
    }

    [Fact]
    public void Write_StrongerNoise_IsTheSameNoiseMagnified()
    {
        byte[] grey = [.. Enumerable.Repeat((byte)128, 1000)];
        double[] Noise(int strength) => [.. Corrupted(CorruptionKind.Noise, strength, grey, 1, 10, 100).Select(value => value - 128.0)];

        foreach (var (weak, strong) in Noise(1).Zip(Noise(2)).Where(pair => Math.Abs(pair.Second) < 120))
            Assert.Equal(1.5 * weak, strong, 1.26); // both are rounded
    }

    [Fact]
    public void Write_RandomKinds_DependOnSeedAndIndexAloneAndNotOnTheOrder()
    {
        byte[] grey = [.. Enumerable.Repeat((byte)128, 100)];
        var images = new CorruptedImages(new(CorruptionKind.Noise, 3), 1, 10, 10, seed: 7);
        byte[] Write(int index)
        {
            var corrupted = new byte[100];
            images.Write(grey, index, corrupted);
            return corrupted;
        }
        var (second, first) = (Write(1), Write(0));

        Assert.Equal(first, Corrupted(CorruptionKind.Noise, 3, grey, 1, 10, 10, index: 0, seed: 7));
        Assert.Equal(second, Write(1));
        Assert.NotEqual(first, second);
        Assert.NotEqual(first, Corrupted(CorruptionKind.Noise, 3, grey, 1, 10, 10, index: 0, seed: 8));
    }

    /// <summary>Checks each kind on one image by a sum over its bytes, which a program in Python computed from the formulas.</summary>
    [Fact]
    public void Write_OfAFixedImage_GivesTheBytesOfAnotherProgram()
    {
        byte[] image = [.. Enumerable.Range(0, 3 * 5 * 7).Select(i => (byte)(i * 37))];

        foreach (var kind in AllKinds)
        {
            var sums = Corrupted(kind, 3, image, 3, 5, 7, index: 11, seed: 5).Select((value, i) => (i + 1) * value).Sum();
            Assert.Equal((kind, Fixed[kind]), (kind, sums));
        }
    }

    private static readonly Dictionary<CorruptionKind, int> Fixed = new()
    {
        [CorruptionKind.Noise] = 677_827,
        [CorruptionKind.Blur] = 716_016,
        [CorruptionKind.Rotation] = 632_886,
        [CorruptionKind.Contrast] = 708_596,
    };

    [Theory]
    [InlineData(CorruptionKind.Blur)]
    [InlineData(CorruptionKind.Rotation)]
    [InlineData(CorruptionKind.Contrast)]
    public void Write_InColour_TreatsEachChannelAsAnImageInGrey(CorruptionKind kind)
    {
        byte[] image = [.. Enumerable.Range(0, 3 * 20 * 30).Select(i => (byte)(i * i / 7))];

        var whole = Corrupted(kind, 4, image, 3, 20, 30);

        Assert.Equal(image.Chunk(600).SelectMany(channel => Corrupted(kind, 4, channel, 1, 20, 30)), whole);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Write_WithMoreStrength_MovesDrawnDigitsFurther(CorruptionKind kind)
    {
        var digits = DigitsDataset.Draw(new()).Test.Pixels.Chunk(784).Take(50).ToArray();

        double[] distances =
        [
            .. Enumerable
                .Range(1, Corruption.MostStrength)
                .Select(strength => digits.Select((digit, i) => Distance(digit, Corrupted(kind, strength, digit, 1, 28, 28, i))).Average()),
        ];

        Assert.True(distances[0] > 0);
        Assert.Equal(distances.Order(), distances);
        Assert.Equal(5, distances.Distinct().Count());
    }

    private static double Distance(byte[] a, byte[] b) => Math.Sqrt(a.Zip(b, (x, y) => Math.Pow(x - y, 2)).Sum());

    private static byte[] Corrupted(
        CorruptionKind kind,
        int strength,
        byte[] image,
        int channels,
        int height,
        int width,
        int index = 3,
        long seed = 1
    )
    {
        byte[] corrupted = [.. Enumerable.Repeat((byte)77, image.Length)];
        new CorruptedImages(new(kind, strength), channels, height, width, seed).Write(image, index, corrupted);
        return corrupted;
    }
}
