using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;

namespace Temper.Unit.Worker.Datasets;

public class DigitsDatasetTests
{
    private static readonly Dataset Digits = DigitsDataset.Draw(new());

    [Fact]
    public void Draw_EachTime_GivesTheSameImagesForEver()
    {
        // Jobs stay comparable over years only if `digits` does not change; a changed generator is a new data set.
        Assert.Equal("7d897d0f9d49255df272c640e019913bbf38b49d9962ac4d9a43c46a8b963226", Digits.Sha256);
    }

    [Fact]
    public void Draw_Sizes_AreTheCatalogs()
    {
        Assert.Equal((4000, 5000), (Digits.Train.Count, Digits.Test.Count));
        Assert.Equal((4000 * 784, 5000 * 784), (Digits.Train.Pixels.Length, Digits.Test.Pixels.Length));
        Assert.Equal((4000, 5000), (Digits.Train.Blends!.Count, Digits.Test.Blends!.Count));
    }

    [Fact]
    public void Draw_Labels_FollowTheirBlendsWeights()
    {
        var blends = Digits.Test.Blends!.Zip(Digits.Test.Labels).Where(pair => pair.First.Weight < 1).ToArray();
        var expected = blends.Sum(pair => pair.First.Weight);
        var deviation = Math.Sqrt(blends.Sum(pair => pair.First.Weight * (1 - pair.First.Weight)));

        Assert.InRange(blends.Count(pair => pair.Second == pair.First.First) - expected, -3.3 * deviation, 3.3 * deviation);
        Assert.All(Digits.Test.Blends!.Zip(Digits.Test.Labels), pair => Assert.True(pair.First.ProbabilityOf(pair.Second) > 0));
    }

    [Fact]
    public void Draw_ShareOfBlends_IsNearItsSetting() =>
        Assert.InRange(Digits.Test.Blends!.Count(blend => blend.Weight < 1) / 5000.0, 0.42, 0.48);

    [Fact]
    public void ProbabilityOf_AllClasses_SumsToOne() =>
        Assert.All(Digits.Train.Blends!, blend => Assert.Equal(1, Enumerable.Range(0, 10).Sum(blend.ProbabilityOf), 1e-12));

    [Fact]
    public void Draw_OtherSeed_GivesOtherImages() =>
        Assert.False(DigitsDataset.Draw(new(), seed: 1).Train.Pixels.AsSpan().SequenceEqual(Digits.Train.Pixels));

    [Theory]
    [InlineData(2)]
    [InlineData(37)]
    [InlineData(100)]
    public void Draw_OtherClasses_DrawsAllOfThemWithTheirProbabilities(int classes)
    {
        var drawn = DigitsDataset.Draw(new(classes, Size: 20, Images: 100));

        Assert.Equal((100, 5000, 5000 * 400), (drawn.Train.Count, drawn.Test.Count, drawn.Test.Pixels.Length));
        Assert.Equal(Enumerable.Range(0, classes), drawn.Test.Labels.Select(label => (int)label).Distinct().Order());
        Assert.All(drawn.Test.Blends!, blend => Assert.Equal(1, Enumerable.Range(0, classes).Sum(blend.ProbabilityOf), 1e-12));
    }

    [Fact]
    public void Draw_MoreImages_BeginsWithThoseOfFewer() =>
        Assert.True(DigitsDataset.Draw(new(Images: 100)).Train.Pixels.AsSpan().SequenceEqual(Digits.Train.Pixels.AsSpan(0, 100 * 784)));

    [Theory]
    [InlineData(0, true)]
    [InlineData(0.5, false)]
    public void Draw_WithoutNoise_LeavesThePaperBlank(double noise, bool blank)
    {
        var corners = DigitsDataset.Draw(new(Noise: noise, Images: 100)).Train.Pixels.Chunk(784).Select(image => image[0]);

        Assert.Equal(blank, corners.All(pixel => pixel == 0));
    }

    /// <summary>A number of two digits has as much ink in each half of the image as the two digits would have.</summary>
    [Fact]
    public void Draw_TwoPlaces_DrawsADigitInEachHalf()
    {
        const int size = 64;
        var drawn = DigitsDataset.Draw(new(Classes: 100, Size: size, Noise: 0, Images: 2000)).Train;
        var ones = Enumerable.Range(0, drawn.Count).Where(i => drawn.Labels[i] == 18 && drawn.Blends![i].Weight == 1).ToArray();

        Assert.NotEmpty(ones);
        Assert.All(ones, i => Assert.True(InkOfRight(i) > 0.5, "8 has more ink than 1"));

        double InkOfRight(int image)
        {
            var pixels = drawn.Pixels.AsSpan(image * size * size, size * size).ToArray();
            double right = pixels.Where((_, at) => at % size >= size / 2).Sum(pixel => pixel);
            return right / pixels.Sum(pixel => (double)pixel);
        }
    }
}
