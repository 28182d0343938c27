using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Harness;

namespace Temper.Unit.Domain.Studies;

/// <summary>Tests comparisons by hand and against simulated truth; bench/study-statistics does the same at full size.</summary>
public class ArmComparisonTests
{
    private const int Draws = 400;

    /// <summary>
    /// About two standard deviations of a share of 5 %, estimated from <see cref="Draws"/> draws. The simulated shares are 4.3 %
    /// or less.
    /// </summary>
    private const double Slack = 0.02;

    [Fact]
    public void Between_TwoArms_IsThePairedTTest()
    {
        var comparison = new ArmComparison([Losses(0, 0.30, 0.50, 0.40, 0.60), Losses(1, 0.20, 0.42, 0.29, 0.51)]);

        var difference = comparison.Between(0, 1);

        // Differences .10, .08, .11, .09: mean .095, deviation .0129099, t = 14.7173 with 3 degrees of freedom.
        Assert.Equal(4, difference.Seeds);
        Assert.Equal(0.095, difference.Mean, 1e-12);
        Assert.Equal(0.0129099, difference.StandardDeviation!.Value, 1e-6);
        Assert.Equal(3, difference.Degrees);
        Assert.Equal(StudentT.Tail(14.7173, 3), difference.PValue, 1e-7);
        Assert.Equal(1 - difference.PValue, comparison.Between(1, 0).PValue, 1e-12);
        Assert.True(comparison.DifferenceExists);
        Assert.Equal([1], comparison.Tied);
        var interval = difference.Interval(0.025)!.Value;
        Assert.Equal(0.095 - 3.18245 * 0.0129099 / 2, interval.Low, 1e-6);
        Assert.Equal(0.095 + 3.18245 * 0.0129099 / 2, interval.High, 1e-6);
    }

    /// <summary>
    /// The other simulations draw losses from continuous distributions. These are real figures of calibrated models, of which debiased
    /// ECE has a part cut off at 0.
    /// </summary>
    [Theory]
    [InlineData(Criterion.DebiasedEce)]
    [InlineData(Criterion.SmoothEce)]
    public void DifferenceExists_AmongEqualModelsByACriterion_IsClaimedInAtMostFivePercent(Criterion criterion)
    {
        double[] losses = [.. Calibrated.Value.Select(scores => scores.LossBy(criterion)!.Value)];
        foreach (var (arms, seeds) in new[] { (2, 3), (6, 3), (6, 10) })
        {
            var claimed = Enumerable
                .Range(0, Draws)
                .Count(draw =>
                {
                    var random = new SplitMix64(draw, (ulong)arms);
                    return new ArmComparison(
                        Enumerable
                            .Range(0, arms)
                            .Select(arm =>
                                Losses(arm, [.. Enumerable.Range(0, seeds).Select(_ => losses[random.NextInt32(losses.Length)])])
                            )
                    ).DifferenceExists;
                });
            Assert.InRange((double)claimed / Draws, 0, ArmComparison.Level + Slack);
        }
        Assert.Equal(criterion == Criterion.DebiasedEce, losses.Any(loss => loss == 0));
    }

    [Fact]
    public void Detectable_LossesThatAreAllZero_IsUnknown()
    {
        var comparison = new ArmComparison([Losses(0, 0, 0, 0), Losses(1, 0, 0, 0)]);

        Assert.False(comparison.DifferenceExists);
        Assert.Equal([0, 1], comparison.Tied);
        Assert.Null(comparison.Detectable(3));
        Assert.Null(comparison.SeedsToTell(comparison.Between(0, 1)));
    }

    private static readonly Lazy<SplitScores[]> Calibrated = new(() =>
        [
            .. Enumerable
                .Range(0, 200)
                .Select(seed => Predictions.Of(SimulatedLogits.Draw(400, 1, seed)))
                .Select(predictions => SplitScores.Of(predictions, [predictions])),
        ]
    );

    [Fact]
    public void Between_ArmsWithDifferentSeeds_ComparesThoseInCommon()
    {
        var comparison = new ArmComparison([
            new(
                0,
                new Dictionary<long, double>
                {
                    [1] = 1,
                    [2] = 2,
                    [3] = 9,
                }
            ),
            new(
                1,
                new Dictionary<long, double>
                {
                    [2] = 1.5,
                    [1] = 0.5,
                    [7] = 0,
                }
            ),
        ]);

        Assert.Equal((2, 0.5), (comparison.Between(0, 1).Seeds, comparison.Between(0, 1).Mean));
    }

    /// <summary>
    /// One arm classifies one more of 400 images wrongly with each of three seeds. The rounding of the differences must not
    /// matter.
    /// </summary>
    [Fact]
    public void Compare_ErrorRatesThatDifferByOneImageWithEverySeed_ClaimsNothing()
    {
        foreach (var offset in Enumerable.Range(0, 300))
        {
            double[] Rates(int more) => [.. new[] { 59, 60, 61 }.Select(wrong => 1 - (400.0 - wrong - offset - more) / 400)];
            var comparison = new ArmComparison([new(0, BySeed(Rates(0))), new(1, BySeed(Rates(1)))], resolution: 1.0 / 400);

            var difference = comparison.Between(1, 0);
            Assert.False(comparison.DifferenceExists);
            Assert.True(difference.IsConstant);
            Assert.Equal((1.0 / 400, 2), (difference.StandardDeviation!.Value, difference.Degrees));
            Assert.Equal(StudentT.Tail(Math.Sqrt(3), 2), difference.PValue, 1e-9);
            Assert.Equal(1 - difference.PValue, comparison.Between(0, 1).PValue, 1e-9);
            // Halving drops no arm because of it.
            Assert.Empty(Race.Losers([new(0, BySeed(Rates(0))), new(1, BySeed(Rates(1)))], 2, 1.0 / 400));
        }
    }

    /// <summary>
    /// The arms differ by 5, 5 and 6 images of 400. The standard deviation is below one image, but the differences are not equal.
    /// </summary>
    [Fact]
    public void Compare_ErrorRatesThatDifferByAnotherImageWithOneSeed_AreNotConstant()
    {
        var comparison = new ArmComparison(
            [Losses(0, 60 / 400.0, 61 / 400.0, 62 / 400.0), Losses(1, 65 / 400.0, 66 / 400.0, 68 / 400.0)],
            resolution: 1.0 / 400
        );

        Assert.False(comparison.Between(1, 0).IsConstant);
        Assert.Equal(1.0 / 400, comparison.Between(1, 0).StandardDeviation!.Value, 1e-12);
    }

    [Fact]
    public void Compare_ConstantDifferencesFarAboveTheResolution_AreDifferences()
    {
        var rates = new ArmComparison([Losses(0, 0.25, 0.25, 0.25), Losses(1, 0.5, 0.5, 0.5)], resolution: 1.0 / 400);
        var continuous = new ArmComparison([Losses(0, 0.1, 0.2, 0.3), Losses(1, 0.2, 0.3, 0.4)]);

        Assert.Equal([0], rates.Tied);
        Assert.Equal([0], continuous.Tied);
        Assert.True(continuous.Between(1, 0).IsConstant);
        Assert.True(rates.Detectable(3) > 1.0 / 400);
    }

    [Fact]
    public void Compare_ContinuousLossesThatDifferByRounding_ClaimsNothing()
    {
        var comparison = new ArmComparison([
            Losses(0, 0.1, 0.2, 0.3),
            Losses(1, 0.1 + 1e-9, 0.2 + 1e-9, 0.3 + 1e-9),
            Losses(2, 0.1, 0.2, 0.3),
            Losses(3, 0, 0, 0),
        ]);

        Assert.Equal(0.5, comparison.Between(2, 0).PValue);
        Assert.InRange(comparison.Between(1, 0).PValue, 0.3, 0.7);
        Assert.Equal(0.5, new ArmComparison([Losses(0, 0, 0), Losses(1, 0, 0)]).Between(0, 1).PValue);
    }

    /// <summary>
    /// A pair that scatters more than the pool is tested with its own spread, which has only the pair's degrees of freedom.
    /// </summary>
    [Fact]
    public void Between_APairThatScattersMoreThanThePool_HasItsOwnDegreesOfFreedom()
    {
        var comparison = new ArmComparison([
            Losses(0, 0.1, 0.2, 0.3),
            Losses(1, 0.101, 0.2, 0.3),
            Losses(2, 0.1, 0.201, 0.3),
            Losses(3, 0.2, 0.2, 0.4),
        ]);

        Assert.Equal(2, comparison.Between(0, 3).Degrees);
        Assert.InRange(comparison.Between(0, 1).Degrees, 3, 6);
        var own = PairedDifference.Of(BySeed([0.2, 0.2, 0.4]), BySeed([0.1, 0.2, 0.3]));
        Assert.Equal(own.StandardDeviation!.Value, comparison.Between(3, 0).StandardDeviation!.Value, 1e-12);
        Assert.Equal(own.PValue, comparison.Between(3, 0).PValue, 1e-12);
    }

    [Fact]
    public void Compare_OneSeedOrNone_ClaimsNothing()
    {
        var comparison = new ArmComparison([Losses(0, 0.1), Losses(1, 0.9), Losses(2)]);

        Assert.False(comparison.DifferenceExists);
        Assert.Equal([0, 1], comparison.Tied);
        Assert.Null(comparison.Between(0, 1).Interval(0.025));
        Assert.Null(comparison.Detectable(1));
    }

    [Theory]
    [InlineData(Scatter.Even)]
    [InlineData(Scatter.OneWildArm)]
    [InlineData(Scatter.Growing)]
    [InlineData(Scatter.Related)]
    [InlineData(Scatter.HeavyTails)]
    public void Compare_NoTrueDifference_SeldomClaimsOne(Scatter scatter)
    {
        foreach (var arms in new[] { 3, 6, 12 })
        foreach (var seeds in new[] { 2, 3, 10 })
            Assert.InRange(
                new SimulatedStudies(new double[arms], seeds, scatter).Share(Draws, losses => new ArmComparison(losses).DifferenceExists),
                0,
                0.05 + Slack
            );
    }

    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    public void Compare_APlantedBest_IsAmongTheTied(int seeds)
    {
        foreach (var worse in new[] { 1.0, 3, 6 })
        {
            var gap = SimulatedStudies.StandardErrors(worse, seeds);
            Assert.InRange(
                new SimulatedStudies([gap, gap, 0, gap, gap, gap], seeds, Scatter.Even).Share(
                    Draws,
                    losses => new ArmComparison(losses).Tied.Contains(2)
                ),
                0.95,
                1
            );
        }
    }

    [Fact]
    public void Compare_ADifferenceOfSixStandardErrorsWithTenSeeds_LeavesTheTied()
    {
        var gap = SimulatedStudies.StandardErrors(6, 10);

        Assert.InRange(
            new SimulatedStudies([0, 0, 0, gap, 0, 0], 10, Scatter.Even).Share(
                Draws,
                losses => !new ArmComparison(losses).Tied.Contains(3)
            ),
            0.95,
            1
        );
        Assert.InRange(
            new SimulatedStudies([0, gap, gap, gap, gap, gap], 10, Scatter.Even).Share(
                Draws,
                losses => new ArmComparison(losses).Tied is [0]
            ),
            0.95,
            1
        );
    }

    [Theory]
    [InlineData(2, 3)]
    [InlineData(3, 3)]
    [InlineData(6, 2)]
    [InlineData(6, 3)]
    [InlineData(6, 10)]
    [InlineData(12, 5)]
    public void Detectable_Difference_IsFoundBetweenTwoGivenArmsFourTimesInFive(int arms, int seeds)
    {
        var comparison = new ArmComparison(new SimulatedStudies(new double[arms], 1000, Scatter.Even).Draw(1));
        double[] means = [comparison.Detectable(seeds)!.Value, .. new double[arms - 1]];

        var found = new SimulatedStudies(means, seeds, Scatter.Even).Share(
            2000,
            losses => new ArmComparison(losses).Between(0, 1).PValue <= comparison.LevelTested
        );

        Assert.InRange(found, 0.77, 0.83);
    }

    /// <summary>The third arm is clearly worse, so the two others are compared at a level of .05/2 instead of .05/6.</summary>
    [Fact]
    public void SeedsToTell_TwoTiedArmsOfAStudyWithADifference_UsesTheLevelOfThePair()
    {
        static ArmComparison Compare(double third) => new(new SimulatedStudies([0.5, 0, third], 10, Scatter.Even).Draw(3));
        var (without, with) = (Compare(0), Compare(100));

        Assert.Equal((false, true), (without.DifferenceExists, with.DifferenceExists));
        Assert.Equal([0, 1], with.Tied);
        // By the normal approximation 63 and 84 seeds at one-sided levels of .025 and .0083: (z + .842)²·2 / .5².
        var tied = with.Between(0, 1) with
        {
            Mean = 0.5,
            StandardDeviation = Math.Sqrt(2),
        };
        Assert.InRange(with.SeedsToTell(tied)!.Value, 62, 75);
        Assert.InRange(without.SeedsToTell(tied)!.Value, 82, 100);
    }

    [Fact]
    public void SeedsToTell_ADifference_IsTheFirstNumberThatSuffices()
    {
        var comparison = new ArmComparison(new SimulatedStudies([0.5, 0], 10, Scatter.Even).Draw(3));

        var needed = comparison.SeedsToTell(comparison.Between(0, 1) with { Mean = -0.5, StandardDeviation = Math.Sqrt(2) })!.Value;

        // One-sided 2.5 %, because two arms may differ either way, and a power of 80 %: (1.960 + .842)²·2 / .5² = 62.8 by the
        // normal approximation, one or two more by t.
        Assert.InRange(needed, 63, 66);
        Assert.Null(comparison.SeedsToTell(comparison.Between(0, 1) with { Mean = 1e-9 }));
    }

    [Theory]
    [InlineData(Scatter.Even)]
    [InlineData(Scatter.OneWildArm)]
    [InlineData(Scatter.Related)]
    public void Halving_OfASimulatedStudy_SeldomChangesTheRecommendation(Scatter scatter)
    {
        foreach (var step in new[] { 0.0, 0.5, 10 })
        {
            var study = new SimulatedStudies([2 * step, step, 0, step, 2 * step, 3 * step], 5, scatter);
            Assert.InRange(
                study.Share(
                    Draws,
                    losses => SimulatedStudies.WithHalving(losses).Recommended != SimulatedStudies.Recommended(new ArmComparison(losses))
                ),
                0,
                0.05
            );
        }
    }

    [Fact]
    public void Halving_ClearDifferences_SavesTrainings()
    {
        var study = new SimulatedStudies([20, 10, 0, 10, 20, 30], 10, Scatter.Even);

        Assert.All(Enumerable.Range(0, 50), draw => Assert.InRange(SimulatedStudies.WithHalving(study.Draw(draw)).Saved, 0.4, 0.8));
    }

    [Fact]
    public void Losers_BeforeAllHaveFinishedTheSameTwoSeeds_AreNone()
    {
        var left = new SimulatedStudies([0, 100, 100], 3, Scatter.Even).Draw(1);

        Assert.Equal([1, 2], Race.Losers(left, 3));
        Assert.Empty(Race.Losers([left[0], left[1], left[2] with { BySeed = left[2].BySeed.Take(1).ToDictionary() }], 3));
        Assert.Empty(Race.Losers([left[0]], 3));
    }

    private static ArmLosses Losses(int arm, params double[] losses) => new(arm, BySeed(losses));

    private static Dictionary<long, double> BySeed(double[] losses) =>
        losses.Select((loss, seed) => (loss, seed)).ToDictionary(one => (long)one.seed, one => one.loss);
}
