using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Unit.Domain.Smoothing;

public class SmoothingAdviceTests
{
    private static readonly TrainingLoss Tenth = Smoothed(0.1);

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
        Assert.Equal(warns, SmoothingAdvice.Of(Smoothed(epsilon), 0, [new(0, 0.99, 0)]).Warnings.Count == 1);

    [Fact]
    public void Of_EpsilonOne_SaysThatNothingCanBeLearned()
    {
        var everything = Smoothed(1);

        Assert.Contains("nothing can be learned", SmoothingAdvice.Of(everything, 0, []).Warnings.Single());
        Assert.Equal((0.1, 0.0), (everything.Targets.TrueClassTarget, everything.Targets.LogitGap));
    }

    [Fact]
    public void Of_AnotherLoss_NamesItAndHasItsGap()
    {
        var margin = Loss(
            new()
            {
                Dataset = "mnist",
                Epsilon = 0,
                Epochs = 1,
                Loss = LossName.MarginSmoothing,
                Margin = 4,
                Weight = 0.5,
            }
        );
        var expected = 1 / (1 + 9 * Math.Exp(-4)) - 0.99;
        var advice = SmoothingAdvice.Of(margin, 0, [new(0, 0.99, expected + 0.01)]);

        Assert.Equal(expected, advice.ExpectedSignedGap!.Value, 1e-12);
        Assert.Equal(0.01, advice.Measured!.Mean, 1e-12);
        Assert.Contains("marginSmoothing with margin 4 and weight 0.5 is under-confident by about 0.13", advice.Warnings.Single());
    }

    [Fact]
    public void Of_MaxSuppression_TakesEachEarlierJobAtItsOwnEpsilon()
    {
        var loss = Loss(
            new()
            {
                Dataset = "mnist",
                Epsilon = 0.1,
                Epochs = 1,
                Loss = LossName.MaxSuppression,
            }
        );
        var advice = SmoothingAdvice.Of(loss, 0, [new(0.2, 0.9, -0.18)]);

        Assert.Equal(-0.09, advice.ExpectedSignedGap!.Value, 1e-12);
        Assert.Equal(0, advice.Measured!.Mean, 1e-12);
    }

    [Fact]
    public void Of_Mixup_HasNoFormulaAndNoWarning()
    {
        var advice = SmoothingAdvice.Of(Tenth with { Mixup = 0.2 }, 0, [new(0.1, 0.9, -0.2)]);

        Assert.Equal((0.9, (double?)null, (GapDifference?)null), (advice.Accuracy, advice.ExpectedSignedGap, advice.Measured));
        Assert.Empty(advice.Warnings);
    }

    private static TrainingLoss Smoothed(double epsilon) =>
        Loss(
            new()
            {
                Dataset = "mnist",
                Epsilon = epsilon,
                Epochs = 1,
            }
        );

    private static TrainingLoss Loss(JobSpec spec) => spec.TrainingLoss();
}
