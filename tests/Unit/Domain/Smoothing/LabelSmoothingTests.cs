using Temper.Domain.Smoothing;

namespace Temper.Unit.Domain.Smoothing;

public class LabelSmoothingTests
{
    [Theory]
    [InlineData(3, 0.1, SmoothingConvention.Others, 0, new[] { 0.9, 0.05, 0.05 })]
    [InlineData(5, 0.1, SmoothingConvention.Others, 1, new[] { 0.025, 0.9, 0.025, 0.025, 0.025 })]
    [InlineData(4, 0.2, SmoothingConvention.Uniform, 3, new[] { 0.05, 0.05, 0.05, 0.85 })]
    [InlineData(2, 0.0, SmoothingConvention.Uniform, 0, new[] { 1.0, 0.0 })]
    [InlineData(2, 1.0, SmoothingConvention.Uniform, 0, new[] { 0.5, 0.5 })]
    public void Targets_OfEachConvention_AreTheTextbookVectors(
        int classes,
        double epsilon,
        SmoothingConvention convention,
        int label,
        double[] expected
    )
    {
        var targets = LabelSmoothing.Of(convention, epsilon, classes).Targets(label);

        for (var i = 0; i < classes; i++)
            Assert.Equal(expected[i], targets[i], 1e-15);
        Assert.Equal(1, targets.Sum(), 1e-15);
    }

    [Theory]
    [InlineData(3, 0.1, 0.29113983883196504, 0.39439769144744274)]
    [InlineData(10, 0.1, 0.5002880350577578, 0.5448054311250702)]
    [InlineData(10, 0.2, 0.8668939107306135, 0.9398473390054318)]
    [InlineData(10, 0.0, 0.0, 0.0)]
    public void TargetEntropy_OfBothConventions_MatchesGoldenValues(int classes, double epsilon, double uniform, double others)
    {
        Assert.Equal(uniform, LabelSmoothing.Of(SmoothingConvention.Uniform, epsilon, classes).TargetEntropy, 1e-12);
        Assert.Equal(others, LabelSmoothing.Of(SmoothingConvention.Others, epsilon, classes).TargetEntropy, 1e-12);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(10)]
    [InlineData(100)]
    public void Of_OneConventionsEpsilonInTheOther_DescribesTheSameTargets(int classes)
    {
        for (var epsilon = 0.0; epsilon < LabelSmoothing.Largest(SmoothingConvention.Others, classes); epsilon += 0.05)
        {
            var others = LabelSmoothing.Of(SmoothingConvention.Others, epsilon, classes);
            var uniform = LabelSmoothing.Of(SmoothingConvention.Uniform, others.EpsilonUniform, classes);

            Assert.Equal(epsilon * classes / (classes - 1), others.EpsilonUniform, 1e-15);
            Assert.Equal(epsilon, uniform.EpsilonOthers, 1e-15);
            Assert.Equal(others.TrueClassTarget, uniform.TrueClassTarget, 1e-15);
            Assert.Equal(1 - epsilon, others.TrueClassTarget, 1e-15);
        }
    }

    [Fact]
    public void TrueClassTarget_IsTheOptimumsConfidenceForACertainLabel()
    {
        // c* = 1 − ε(K−1)/K
        Assert.Equal(0.91, LabelSmoothing.Of(SmoothingConvention.Uniform, 0.1, 10).TrueClassTarget, 1e-15);
    }

    [Theory]
    [InlineData(SmoothingConvention.Uniform, 1.0000001, 10)]
    [InlineData(SmoothingConvention.Uniform, -0.0000001, 10)]
    [InlineData(SmoothingConvention.Uniform, double.NaN, 10)]
    [InlineData(SmoothingConvention.Others, 0.9000001, 10)]
    [InlineData(SmoothingConvention.Others, 0.51, 2)]
    [InlineData(SmoothingConvention.Uniform, 0.1, 1)]
    public void Of_OutsideItsRange_IsRefused(SmoothingConvention convention, double epsilon, int classes) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => LabelSmoothing.Of(convention, epsilon, classes));

    [Theory]
    [InlineData(SmoothingConvention.Others, 0.9, 10)]
    [InlineData(SmoothingConvention.Uniform, 1, 10)]
    public void Of_AtTheEndOfItsRange_LeavesTheClassesEquallyLikely(SmoothingConvention convention, double epsilon, int classes) =>
        Assert.All(LabelSmoothing.Of(convention, epsilon, classes).Targets(0), q => Assert.Equal(1.0 / classes, q, 1e-15));

    [Theory]
    [InlineData(0, null)]
    [InlineData(0.1, 4.51085950651685)] // ln(0.91 / 0.01)
    [InlineData(1, 0.0)]
    public void LogitGap_OfTenClasses_IsHowFarTheOptimumsLogitsLieApart(double epsilon, double? gap)
    {
        var found = LabelSmoothing.Of(SmoothingConvention.Uniform, epsilon, 10).LogitGap;

        Assert.Equal(gap is null, found is null);
        Assert.Equal(gap ?? 0, found ?? 0, 1e-12);
    }

    [Fact]
    public void ExpectedSignedGap_OnMnist_IsAboutMinusNineHundredths() =>
        Assert.Equal(-0.0893, LabelSmoothing.Of(SmoothingConvention.Uniform, 0.1, 10).ExpectedSignedGap(0.993), 1e-12);
}
