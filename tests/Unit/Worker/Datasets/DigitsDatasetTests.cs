using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;

namespace Temper.Unit.Worker.Datasets;

public class DigitsDatasetTests
{
    private static readonly Dataset Digits = DigitsDataset.Draw();

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
        Assert.False(DigitsDataset.Draw(1).Train.Pixels.AsSpan().SequenceEqual(Digits.Train.Pixels));
}
