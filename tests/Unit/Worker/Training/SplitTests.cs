using Temper.Domain.Jobs;
using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

public class SplitTests
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0,
        Epochs = 1,
        Seed = 5,
    };

    [Theory]
    [InlineData(4000, 0.1, 400)]
    [InlineData(60_000, 0.5, 30_000)]
    [InlineData(10, 0.01, 1)]
    [InlineData(2, 0.5, 1)]
    public void Of_Fraction_PartitionsTheImages(int images, double fraction, int validation)
    {
        var split = Split.Of(Spec with { ValidationFraction = fraction }, images);

        Assert.Equal(validation, split.Validation.Length);
        Assert.Equal(Enumerable.Range(0, images).Select(i => (long)i), split.Training.Concat(split.Validation).Order());
    }

    [Fact]
    public void Of_ASetWithItsOwnValidationPart_ValidatesWithThatAndTrainsOnTheRest()
    {
        var split = Split.Of(Spec with { ValidationFraction = 0.5 }, 10, ownValidation: 3);

        Assert.Equal([7L, 8, 9], split.Validation.Order());
        Assert.Equal([0L, 1, 2, 3, 4, 5, 6], split.Training);
    }

    /// <summary>A temperature is fitted on every second image. In a file with classes in turn these would all be of one class.</summary>
    [Fact]
    public void Of_ASetWithItsOwnValidationPart_ValidatesInRandomOrder()
    {
        var split = Split.Of(Spec, 1200, ownValidation: 200);

        Assert.InRange(split.Validation.Where((_, place) => place % 2 == 0).Count(image => image % 2 == 0), 30, 70);
        Assert.Equal(split.Validation, Split.Of(Spec, 1200, ownValidation: 200).Validation);
        Assert.NotEqual(split.Validation, Split.Of(Spec with { Seed = 6 }, 1200, ownValidation: 200).Validation);
    }

    [Fact]
    public void Of_SameSeed_GivesTheSameSplit_AnotherSeedAnother()
    {
        Assert.Equal(Split.Of(Spec, 1000).Validation, Split.Of(Spec, 1000).Validation);
        Assert.NotEqual(Split.Of(Spec, 1000).Validation, Split.Of(Spec with { Seed = 6 }, 1000).Validation);
    }

    [Fact]
    public void Order_OfEachEpoch_IsItsOwnPermutationOfTheTrainingImages()
    {
        var split = Split.Of(Spec, 1000);

        Assert.Equal(split.Training.Order(), split.Order(1).Order());
        Assert.NotEqual(split.Order(1), split.Order(2));
        Assert.Equal(split.Order(2), Split.Of(Spec, 1000).Order(2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.25)]
    [InlineData(1)]
    public void AddNoise_Share_ChangesThatManyTrainingLabelsAndNoOther(double share)
    {
        var split = Split.Of(Spec, 2000);
        var clean = Enumerable.Range(0, 2000).Select(i => (long)(i % 10)).ToArray();
        var noisy = (long[])clean.Clone();

        split.AddNoise(noisy, share, 10);

        Assert.Equal((int)(1800 * share), split.Training.Count(i => noisy[i] != clean[i]));
        Assert.All(split.Validation, i => Assert.Equal(clean[i], noisy[i]));
        Assert.All(noisy, label => Assert.InRange(label, 0, 9));
    }

    [Fact]
    public void AddNoise_WhereLabelsChange_DrawsEachOtherClassAlike()
    {
        var split = Split.Of(Spec, 20_000);
        var labels = new long[20_000];

        split.AddNoise(labels, 1, 10);

        var counts = split.Training.CountBy(i => labels[i]).ToDictionary();
        Assert.Equal(Enumerable.Range(1, 9).Select(i => (long)i), counts.Keys.Order());
        // χ² with 8 degrees of freedom exceeds 26.1 once in a thousand seeds.
        Assert.InRange(counts.Values.Sum(count => (count - 2000.0) * (count - 2000.0) / 2000), 0, 26.1);
    }
}
