using Temper.Domain.Jobs;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

[Collection(AloneCollection.Name)]
public class AugmentationTests
{
    private const int Count = 200,
        Size = 6;

    private const double Black = -0.5;

    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0,
        Epochs = 1,
        Augmentation = AugmentationName.CropFlip,
    };

    /// <summary>Every pixel has a different number above 0, which identifies the place that it came from.</summary>
    private static readonly float[] Image = [.. Enumerable.Range(1, 2 * Size * Size).Select(i => (float)i)];

    [Fact]
    public void Apply_CropFlip_ShiftsAndMirrorsEachImageAsAWhole()
    {
        var seen = new HashSet<(int Top, int Left, bool Mirrored)>();
        foreach (var image in Apply(Spec, 1, 1).Chunk(Image.Length))
        {
            var match = Candidates(border: 4).Single(one => Shifted(one, edge: 0).SequenceEqual(image));
            seen.Add(match);
        }

        Assert.True(seen.Count > 80, $"{seen.Count} of 162 different crops in {Count} draws");
        Assert.Contains(seen, one => one.Mirrored);
        Assert.Contains(seen, one => !one.Mirrored);
    }

    [Fact]
    public void Apply_Shift_MovesEachImageByUpToTwoPixelsOverBlackAndMirrorsNone()
    {
        var seen = new HashSet<(int Top, int Left, bool Mirrored)>();
        foreach (var image in Apply(Spec with { Augmentation = AugmentationName.Shift }, 1, 1).Chunk(Image.Length))
            seen.Add(Candidates(border: 2).Single(one => Shifted(one, (float)Black).SequenceEqual(image)));

        Assert.Equal(25, seen.Count);
        Assert.DoesNotContain(seen, one => one.Mirrored);
    }

    /// <summary>The border has the same value as the image's own black.</summary>
    [Fact]
    public void Black_OfNormalizedImages_IsWhatABlackPixelBecomes()
    {
        using var scope = NewDisposeScope();
        var digits = DigitsDataset.Draw(new());
        var blank = new LabelledImages(new byte[2 * 784], [0, 1]);
        using var images = new ResidentImages(digits, blank, [0, 1], Normalization.Of(digits), torch.CPU);

        Assert.All(
            images.Batch(torch.tensor(new long[] { 0, 1 })).contiguous().data<float>().ToArray(),
            pixel => Assert.Equal((float)images.Black, pixel, 1e-6f)
        );
    }

    [Fact]
    public void Apply_SameSeedEpochAndStep_DrawsTheSame()
    {
        Assert.Equal(Apply(Spec, 3, 7), Apply(Spec, 3, 7));
        Assert.NotEqual(Apply(Spec, 3, 7), Apply(Spec, 3, 8));
        Assert.NotEqual(Apply(Spec, 3, 7), Apply(Spec, 4, 7));
        Assert.NotEqual(Apply(Spec, 3, 7), Apply(Spec with { Seed = 1 }, 3, 7));
    }

    [Fact]
    public void Apply_None_IsTheBatchItself() =>
        Assert.Equal(
            [.. Enumerable.Repeat(Image, Count).SelectMany(pixel => pixel)],
            Apply(Spec with { Augmentation = AugmentationName.None }, 1, 1)
        );

    private static float[] Apply(JobSpec spec, int epoch, int step)
    {
        using var scope = NewDisposeScope();
        var batch = torch.tensor([.. Enumerable.Repeat(Image, Count).SelectMany(pixel => pixel)], [Count, 2, Size, Size]);
        return Augmentation.Apply(spec, batch, Black, epoch, step).contiguous().data<float>().ToArray();
    }

    private static IEnumerable<(int Top, int Left, bool Mirrored)> Candidates(int border) =>
        from top in Enumerable.Range(-border, 2 * border + 1)
        from left in Enumerable.Range(-border, 2 * border + 1)
        from mirrored in new[] { false, true }
        select (top, left, mirrored);

    private static float[] Shifted((int Top, int Left, bool Mirrored) move, float edge) =>
        [
            .. from c in Enumerable.Range(0, 2)
            from h in Enumerable.Range(0, Size)
            from w in Enumerable.Range(0, Size)
            let row = h + move.Top
            let column = (move.Mirrored ? Size - 1 - w : w) + move.Left
            select row is >= 0 and < Size && column is >= 0 and < Size ? Image[(c * Size + row) * Size + column] : edge,
        ];
}
