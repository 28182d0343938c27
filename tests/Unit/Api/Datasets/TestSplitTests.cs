using Temper.Api.Datasets;

namespace Temper.Unit.Api.Datasets;

public class TestSplitTests
{
    /// <summary>Classes of 1, 2, 3, 10 and 1000 images.</summary>
    private static readonly ushort[] Labels =
    [
        .. new[] { 1, 2, 3, 10, 1000 }.SelectMany((count, k) => Enumerable.Repeat((ushort)k, count)),
    ];

    [Fact]
    public void Of_ClassesOfAnySize_TakesAFifthOfEachAndLeavesOneAtLeast()
    {
        var isTest = TestSplit.Of(Labels, 5, seed: 0);

        Assert.Equal([0, 1, 1, 2, 200], Enumerable.Range(0, 5).Select(k => Labels.Where((label, i) => label == k && isTest[i]).Count()));
    }

    [Fact]
    public void Of_AnotherSeed_TakesOtherImages()
    {
        var (first, same, other) = (TestSplit.Of(Labels, 5, 1), TestSplit.Of(Labels, 5, 1), TestSplit.Of(Labels, 5, 2));

        Assert.Equal(first.Cast<bool>(), same.Cast<bool>());
        Assert.NotEqual(first.Cast<bool>(), other.Cast<bool>());
    }
}
