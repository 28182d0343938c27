using Temper.Domain.Smoothing;

namespace Temper.Unit.Domain.Smoothing;

public class SmoothingAdviceTests
{
    private static readonly LabelSmoothing Tenth = LabelSmoothing.Of(SmoothingConvention.Uniform, 0.1, 10);

    [Fact]
    public void Of_AFailedTrialAmongEarlierJobs_DoesNotMoveTheAccuracy()
    {
        var advice = SmoothingAdvice.Of(Tenth, 0, [new(0, 0.98, 0), new(0, 0.99, 0), new(1, 0.1, 0)]);

        Assert.Equal(0.98, advice.Accuracy);
        Assert.Equal(-0.1 * (0.98 - 0.1), advice.ExpectedSignedGap!.Value, 1e-12);
    }

    [Fact]
    public void Of_LabelNoise_IsCountedAsTheSmoothingItIs()
    {
        // Label noise of 0.4 equals a uniform smoothing of 4/9; with ε = 0.1 the true class keeps 0.9·5/9 = 0.5.
        var advice = SmoothingAdvice.Of(Tenth, 0.4, [new(0.1, 0.98, -0.44)]);

        Assert.Equal(-0.5 * 0.88, advice.ExpectedSignedGap!.Value, 1e-12);
        Assert.Equal(0, advice.Measured!.Mean, 1e-12);
        Assert.Null(advice.Measured.Deviation);
        Assert.Contains("ε = 0.1 with label noise 0.4 is under-confident by about 0.44", advice.Warnings.Single());
    }

    [Theory]
    [InlineData(0.02, false)] // 0.0178
    [InlineData(0.03, true)] // 0.0267
    public void Of_AGapThatMatters_Warns(double epsilon, bool warns) =>
        Assert.Equal(
            warns,
            SmoothingAdvice.Of(LabelSmoothing.Of(SmoothingConvention.Uniform, epsilon, 10), 0, [new(0, 0.99, 0)]).Warnings.Count == 1
        );

    [Fact]
    public void Of_EpsilonOne_SaysThatNothingCanBeLearned()
    {
        var everything = LabelSmoothing.Of(SmoothingConvention.Uniform, 1, 10);

        Assert.Contains("nothing can be learned", SmoothingAdvice.Of(everything, 0, []).Warnings.Single());
        Assert.Equal((0.1, 0.0), (everything.TrueClassTarget, everything.LogitGap));
    }
}
