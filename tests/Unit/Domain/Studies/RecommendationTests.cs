using Temper.Domain;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Domain.Studies;

namespace Temper.Unit.Domain.Studies;

public class RecommendationTests
{
    private static readonly StudySpec Study = new()
    {
        Job = new()
        {
            Dataset = "mnist",
            Epsilon = 0,
            Epochs = 3,
        },
        Epsilons = [0, 0.1, 0.3],
        Seeds = [0, 1, 2, 3, 4],
        Criterion = Criterion.Ece,
    };

    [Fact]
    public void Of_OneClearWinner_RecommendsItAndNothingIsTied()
    {
        var recommendation = Recommend(
            Study,
            (arm, seed) =>
                arm switch
                {
                    0 => 0.10,
                    1 => 0.02,
                    _ => 0.25,
                }
                + 0.001 * Wobble(arm, seed)
        );

        Assert.Equal(0.1, recommendation.Epsilon);
        Assert.Equal([0.1], recommendation.Tied);
        Assert.True(recommendation.DifferenceExists);
        Assert.Null(recommendation.MoreSeeds);
        Assert.Matches(
            @"^Use ε = 0\.1: by ECE on validation, with 5 seeds, every other arm is significantly worse \(0\.02\d\d against 0\.10\d "
                + @"at ε = 0, which comes nearest\)\.$",
            recommendation.Sentence
        );
        Assert.Equal([0.1, 0, 0.3], recommendation.Arms.Select(arm => arm.Arm.Epsilon));
        Assert.Null(recommendation.Arms[0].BehindBest);
        Assert.Equal(0.08, recommendation.Arms[1].BehindBest!.Value, 0.002);
    }

    [Fact]
    public void Of_NothingToTell_PrefersNoSmoothingWithTemperature()
    {
        var recommendation = Recommend(Study, (arm, seed) => 0.1 + 0.01 * Wobble(arm, seed));

        Assert.False(recommendation.DifferenceExists);
        Assert.Equal(0, recommendation.Epsilon);
        Assert.Equal([0, 0.1, 0.3], recommendation.Tied);
        Assert.Equal(2, recommendation.Temperature!.Value, 1e-12);
        Assert.StartsWith(
            "No significant difference by ECE on validation with 5 seeds: prefer ε = 0 with temperature (T = 2.00 on average). "
                + "With 5 seeds a true difference of ",
            recommendation.Sentence
        );
        Assert.NotNull(recommendation.Power.DetectableDifference);
    }

    [Fact]
    public void Of_ATieBelowAClearLoser_TakesTheLeastSmoothing()
    {
        var recommendation = Recommend(Study, (arm, seed) => (arm == 2 ? 0.5 : 0.1) + ((seed % 2 == 0) == (arm == 0) ? 0.01 : -0.01));

        Assert.Equal((0.0, 0.1), (recommendation.Epsilon, recommendation.LowestMean));
        Assert.Equal([0, 0.1], recommendation.Tied);
        Assert.StartsWith(
            "Use ε = 0: by ECE on validation of the 2 arms that may be the best (ε = 0; ε = 0.1) it has the least smoothing; 1 of 3 "
                + "is significantly worse than some arm.",
            recommendation.Sentence
        );
    }

    [Fact]
    public void Of_TiedArmsThatSeemToDiffer_SaysHowManySeedsWouldTellWhichApart()
    {
        var recommendation = Recommend(
            Study,
            (arm, seed) =>
                arm switch
                {
                    0 => 0.1,
                    1 => 0.094,
                    _ => 0.5,
                }
                + 0.01 * Wobble(arm, seed)
        );

        Assert.Equal([0, 0.1], recommendation.Tied);
        Assert.InRange(recommendation.MoreSeeds!.Value, 1, 200);
        Assert.EndsWith(
            $" If ε = 0 and ε = 0.1, the lowest two, differ as they seem to, {recommendation.MoreSeeds} more seeds would probably "
                + "tell them apart.",
            recommendation.Sentence
        );
    }

    [Fact]
    public void Of_ACriterionAfterTemperature_NamesTheTemperature()
    {
        var study = Study with { Criterion = Criterion.EceAfterTemperature };

        var jobs = Jobs(study, (arm, seed) => 0.1)
            .Select(job =>
                job with
                {
                    Scores = job.Scores with
                    {
                        Validation = job.Scores.Validation with
                        {
                            EceAfterTemperature = 0.1 * Math.Abs(job.Arm - 1) + 0.001 * Wobble(job.Arm, job.Seed),
                        },
                    },
                }
            );

        Assert.StartsWith(
            "Use ε = 0.1 with temperature (T = 2.00 on average): by ECE after temperature on validation, with 5 seeds, every other arm is "
                + "significantly worse (",
            Assert.Single(Recommendation.Of(study, Arms(study), [.. jobs])).Sentence
        );
    }

    [Fact]
    public void Of_BothConventions_ComparesTheirSmoothingInOne()
    {
        var study = Study with { Smoothing = [SmoothingConvention.Uniform, SmoothingConvention.Others], Epsilons = [0.1] };

        var recommendation = Recommend(study, (arm, seed) => 0.1 + 0.01 * Wobble(arm, seed));

        // ε = 0.1 of `others` smooths as much as 0.111 of `uniform`.
        Assert.Equal(SmoothingConvention.Uniform, recommendation.Arm!.Smoothing);
        Assert.StartsWith(
            "No significant difference by ECE on validation with 5 seeds: prefer ε = 0.1, uniform with temperature (T = 2.00 on "
                + "average), which has the least smoothing.",
            recommendation.Sentence
        );
        Assert.Empty(recommendation.Findings);
    }

    [Fact]
    public void Of_ModelsThatSmoothAlike_SaysThatItsMeanIsTheLowest()
    {
        var study = Study with { Models = [ModelName.Cnn, ModelName.Mlp], Epsilons = [0.1] };

        var recommendation = Recommend(study, (arm, seed) => 0.1 - 0.001 * arm + 0.01 * Wobble(arm, seed));

        Assert.False(recommendation.DifferenceExists);
        Assert.Equal(recommendation.Arms[0].Arm, recommendation.Arm);
        Assert.Contains(": prefer ε = 0.1, ", recommendation.Sentence);
        Assert.Contains(", which has the lowest mean.", recommendation.Sentence);
    }

    [Fact]
    public void Of_SeveralSharesOfLabelNoise_AnswersEachByItself()
    {
        var study = Study with { LabelNoise = [0, 0.4], Epsilons = [0, 0.1] };

        var recommendations = Recommendation.Of(
            study,
            Arms(study),
            Jobs(study, (arm, seed) => (arm is 0 or 3 ? 0.02 : 0.3) + 0.001 * Wobble(arm, seed))
        );

        Assert.Equal([(0.0, 0.0), (0.4, 0.1)], recommendations.Select(one => (one.LabelNoise, one.Epsilon!.Value)));
        Assert.StartsWith("Use ε = 0.1: by ECE on validation under label noise 0.4, with 5 seeds, ", recommendations[1].Sentence);
        Assert.Contains(recommendations[1].Findings, finding => finding.StartsWith("Robustness to label noise of 0.4: test accuracy is "));
        Assert.Contains(recommendations[0].Findings, finding => finding.StartsWith("Accuracy: test accuracy is "));
    }

    /// <summary>
    /// 59, 60 and 61 of 400 images are wrong at ε = 0.1, and one more of each at ε = 0. The rounding of the differences once made
    /// this significant.
    /// </summary>
    [Fact]
    public void Of_ErrorRatesThatDifferByOneImageWithEverySeed_SaysThatTheDifferenceIsConstant()
    {
        var study = Study with { Criterion = Criterion.Accuracy, Epsilons = [0, 0.1], Seeds = [0, 1, 2] };
        var jobs = Jobs(study, (_, _) => 0.1)
            .Select(job =>
                job with
                {
                    ValidationImages = 400,
                    TestImages = 400,
                    Scores = job.Scores with { Validation = Accurate(job), Test = Accurate(job) },
                }
            )
            .ToList();
        static SplitScores Accurate(StudyJob job) => job.Scores.Validation with { Accuracy = (341 - job.Seed - (1 - job.Arm)) / 400.0 };

        var recommendation = Assert.Single(Recommendation.Of(study, Arms(study), jobs));

        Assert.Equal((false, 0.0, 0.1), (recommendation.DifferenceExists, recommendation.Epsilon, recommendation.LowestMean));
        Assert.EndsWith(
            " The difference between ε = 0.1 and ε = 0 is the same with every seed, as far as error rate can tell: its resolution "
                + "counts as the spread.",
            recommendation.Sentence
        );
        Assert.Equal([false, true], recommendation.Arms.Select(arm => arm.IsConstant));
        Assert.InRange(0, recommendation.Arms[1].Interval!.Value.Low, recommendation.Arms[1].Interval!.Value.High);
        Assert.Contains(
            recommendation.Findings,
            finding =>
                finding.StartsWith(
                    "Accuracy: test accuracy is 0.848 at ε = 0 and 0.850 at ε = 0.1, no significant difference (+0.0025 with every seed, "
                )
        );
    }

    /// <summary>
    /// Covers p-values between the level at which an arm beats another and the stricter level at which any difference exists.
    /// </summary>
    [Fact]
    public void Of_ADifferenceThatIsNotCalledSignificant_HasAnIntervalThatCoversNone()
    {
        var found = 0;
        foreach (var shift in Enumerable.Range(0, 40))
        {
            var recommendation = Recommend(Study, (arm, seed) => 0.1 + 0.001 * shift * (arm == 2 ? 1 : 0) + 0.005 * Wobble(arm, seed));
            foreach (var arm in recommendation.Arms.Where(arm => arm.Interval is not null))
                if (arm.IsTied)
                    Assert.True(arm.Interval!.Value.Low <= 0, $"{shift}: {arm.Interval}");
                else if (arm.Interval!.Value.Low > 0)
                    found++;
        }
        Assert.InRange(found, 1, 40);
    }

    [Fact]
    public void Of_AnArmThatEndedWorseThanChance_IsNamedAndNotRanked()
    {
        var jobs = Jobs(
                Study,
                (arm, seed) =>
                    arm switch
                    {
                        0 => 0.10,
                        1 => 0.02,
                        _ => 0.25,
                    }
                    + 0.001 * Wobble(arm, seed)
            )
            .Select(job =>
                (job.Arm, job.Seed) switch
                {
                    (1, 2) => job with { Scores = job.Scores with { Validation = job.Scores.Validation with { Accuracy = 0.08 } } },
                    (1, 3) => job with { Scores = job.Scores with { Validation = job.Scores.Validation with { Nll = 24 } } },
                    _ => job,
                }
            )
            .ToList();

        var recommendation = Assert.Single(Recommendation.Of(Study, Arms(Study), jobs, [new(2, "its worker was lost", 1)]));

        Assert.Equal((0.0, 0.0), (recommendation.Epsilon, recommendation.LowestMean));
        Assert.Contains(
            " ε = 0.1 diverged with 2 of 5 seeds. Such an arm is not ranked: its other seeds are those that went well.",
            recommendation.Sentence
        );
        Assert.Equal(
            (0.1, 2, false),
            (recommendation.Arms[^1].Arm.Epsilon, recommendation.Arms[^1].Diverged, recommendation.Arms[^1].IsJudged)
        );
        Assert.All(recommendation.Findings, finding => Assert.DoesNotContain("ε = 0.1", finding));
    }

    [Fact]
    public void Of_ArmsThatAllDiverged_RecommendsNone()
    {
        var study = Study with { Epsilons = [0, 0.1] };
        var jobs = Jobs(study, (_, _) => 0.1).Where(job => job.Arm == 0 && job.Seed < 3).ToList();
        FailedJobs[] failed =
        [
            new(0, "Training diverged in epoch 2: the loss is no longer a finite number.", 2),
            new(1, "Training diverged in epoch 1: the loss is no longer a finite number.", 5),
        ];

        var recommendation = Assert.Single(Recommendation.Of(study, Arms(study), jobs, failed, isOver: true));

        Assert.Null(recommendation.Epsilon);
        Assert.Empty(recommendation.Tied);
        Assert.Equal(
            "No arm can be judged. ε = 0 diverged with 2 of 5 seeds. ε = 0.1 diverged with 5 of 5 seeds. 5 failed: Training diverged "
                + "in epoch 1: the loss is no longer a finite number. 2 failed: Training diverged in epoch 2: the loss is no longer a "
                + "finite number.",
            recommendation.Sentence
        );
    }

    [Fact]
    public void MoreSeeds_WhereThereIsNoNumber_SaysWhy()
    {
        Assert.StartsWith(
            "One arm alone may be the best",
            Recommend(Study, (arm, seed) => 0.1 * arm + 0.001 * Wobble(arm, seed)).MoreSeedsNote
        );
        Assert.StartsWith("One seed tells nothing", Recommend(Study with { Seeds = [3] }, (arm, _) => 0.5 - 0.1 * arm).MoreSeedsNote);
        Assert.StartsWith("Not even 1000 seeds", Recommend(Study, (_, seed) => 0.1 + 0.01 * seed).MoreSeedsNote);
        var tied = Recommend(
            Study,
            (arm, seed) =>
                arm switch
                {
                    0 => 0.1,
                    1 => 0.094,
                    _ => 0.5,
                }
                + 0.01 * Wobble(arm, seed)
        );
        Assert.Equal((true, null), (tied.MoreSeeds is not null, tied.MoreSeedsNote));
    }

    [Fact]
    public void Of_NoJobsYet_SaysSo()
    {
        var recommendation = Assert.Single(Recommendation.Of(Study, Arms(Study), []));

        Assert.Null(recommendation.Epsilon);
        Assert.Empty(recommendation.Tied);
        Assert.Equal("No job has succeeded yet.", recommendation.Sentence);
    }

    [Fact]
    public void Of_OneSeed_SaysThatItTellsNothing()
    {
        var recommendation = Recommend(Study with { Seeds = [3] }, (arm, _) => 0.5 - 0.1 * arm);

        Assert.False(recommendation.DifferenceExists);
        Assert.Equal(
            "One seed tells nothing of chance: by ECE on validation ε = 0.3 came out lowest, which a second seed may turn round. "
                + "Until then prefer ε = 0.",
            recommendation.Sentence
        );
        Assert.Equal(0, recommendation.Epsilon);
        Assert.All(recommendation.Arms, arm => Assert.Null(arm.PValue));
    }

    [Fact]
    public void Of_AnArmWithFewSeeds_NeitherChoosesItNorCallsItTied()
    {
        // Only one of five jobs of ε = 0 is left.
        var jobs = Jobs(
                Study,
                (arm, seed) =>
                    arm switch
                    {
                        0 => 0.9,
                        1 => 0.02,
                        _ => 0.25,
                    }
                    + 0.001 * Wobble(arm, seed)
            )
            .Where(job => job.Arm != 0 || job.Seed == 2)
            .ToList();

        var recommendation = Assert.Single(Recommendation.Of(Study, Arms(Study), jobs));

        Assert.Equal(0.1, recommendation.Epsilon);
        Assert.Equal([0.1], recommendation.Tied);
        Assert.EndsWith("Too few jobs have succeeded to judge ε = 0.", recommendation.Sentence);
        // With only that arm beside it, nothing has been compared.
        Assert.Equal(
            "Only ε = 0.1 has enough seeds to be judged. Too few jobs have succeeded to judge ε = 0.",
            Assert.Single(Recommendation.Of(Study, Arms(Study), [.. jobs.Where(job => job.Arm != 2)])).Sentence
        );
        Assert.False(recommendation.Arms.Single(arm => arm.Arm.Epsilon == 0).IsJudged);
    }

    [Fact]
    public void Of_AnArmDroppedOnEasySeeds_RanksItByWhatTheSeedsAreWorth()
    {
        // Seeds 0 and 1 are easy. ε = 0.3 has only these and is worse by 0.02.
        var arms = Arms(Study).Select(arm => arm.Number == 2 ? arm with { DroppedAtSeeds = 2 } : arm).ToList();
        var jobs = Jobs(Study, (arm, seed) => (seed < 2 ? 0.02 : 0.1) + (arm == 2 ? 0.02 : 0.001 * arm) + 0.0001 * Wobble(arm, seed))
            .Where(job => job.Arm != 2 || job.Seed < 2)
            .ToList();

        var recommendation = Assert.Single(Recommendation.Of(Study, arms, jobs));

        Assert.Equal(0, recommendation.LowestMean);
        Assert.Equal([0, 0.1, 0.3], recommendation.Arms.Select(arm => arm.Arm.Epsilon));
        Assert.Equal(0.068, recommendation.Arms[0].MeanLoss, 0.0002);
        Assert.Equal(recommendation.Arms[0].MeanLoss + 0.02, recommendation.Arms[2].MeanLoss, 0.001);
        Assert.True(recommendation.DifferenceExists);
        Assert.DoesNotContain(0.3, recommendation.Tied);
        Assert.Contains(" Halving dropped ε = 0.3 as clearly worse.", recommendation.Sentence);
    }

    /// <summary>In these jobs the test figures order the arms the opposite way from the validation figures.</summary>
    [Fact]
    public void Of_TestFiguresThatDisagree_ChoosesByValidation()
    {
        var recommendation = Recommend(Study, (arm, seed) => 0.05 * arm + 0.001 * Wobble(arm, seed), test: (arm, _) => 1 - 0.05 * arm);

        Assert.Equal(0, recommendation.Epsilon);
        Assert.Equal([0], recommendation.Tied);
    }

    [Theory]
    [InlineData(0.97, 0.90, ": ε = 0.3 fits the training images less well.")]
    [InlineData(0.90, 0.97, ": a loss of a percentage point of training accuracy is ruled out.")]
    [InlineData(0.97, 0.96, ": these seeds cannot show whether there is any.", 0.03)]
    public void Findings_OfUnderFitting_SayWhetherThereIsAny(double plain, double smoothed, string conclusion, double scatter = 0.001)
    {
        var jobs = Jobs(Study, (arm, seed) => 0.1 + 0.001 * Wobble(arm, seed))
            .Select(job => job with { TrainAccuracy = (job.Arm == 0 ? plain : smoothed) + scatter * Wobble(job.Arm, job.Seed) })
            .ToList();

        string UnderFitting(IReadOnlyList<StudyJob> of) =>
            Assert
                .Single(Recommendation.Of(Study, Arms(Study), of))
                .Findings.Single(finding => finding.StartsWith("Under-fitting", StringComparison.Ordinal));

        Assert.EndsWith(conclusion, UnderFitting(jobs));
        Assert.DoesNotContain(conclusion, UnderFitting([.. jobs.Where(job => job.Seed == 0)])); // one seed is not enough
    }

    [Fact]
    public void Sentence_OfMeansThatHardlyDiffer_ShowsTheDecimalsThatTellThem()
    {
        var recommendation = Recommend(
            Study,
            (arm, seed) =>
                arm switch
                {
                    0 => 0.2512,
                    1 => 0.2514,
                    _ => 0.4,
                }
                + 0.000001 * Wobble(arm, seed)
        );

        Assert.Contains("significantly worse (0.2512 against 0.2514 at ε = 0.1, which comes nearest)", recommendation.Sentence);
    }

    [Fact]
    public void Of_JobsWithoutTheCriterionsFigure_DoNotCount()
    {
        var study = Study with { Criterion = Criterion.SmoothEceAfterTemperature };
        StudyJob[] jobs =
        [
            .. Jobs(study, (_, _) => 0.1)
                .Select(job =>
                    job.Seed == 4
                        ? job
                        : job with
                        {
                            Scores = job.Scores with
                            {
                                Validation = job.Scores.Validation with
                                {
                                    SmoothEceAfterTemperature = 0.1 * Math.Abs(job.Arm - 1) + 0.001 * Wobble(job.Arm, job.Seed),
                                },
                            },
                        }
                ),
        ];

        var recommendation = Assert.Single(Recommendation.Of(study, Arms(study), jobs));

        Assert.StartsWith(
            "Use ε = 0.1 with temperature (T = 2.00 on average): by smooth ECE after temperature on validation, with 4 seeds, ",
            recommendation.Sentence
        );
        Assert.All(recommendation.Arms, arm => Assert.Equal(4, arm.Seeds));
        Assert.Null(Assert.Single(Recommendation.Of(study with { Criterion = Criterion.DebiasedEce }, Arms(study), jobs)).Epsilon);
    }

    [Fact]
    public void Findings_OfSmoothing_StateTheNumbersAndTheirIntervals()
    {
        var recommendation = Recommend(Study, (arm, seed) => 0.1 - 0.03 * arm + 0.001 * Wobble(arm, seed));

        Assert.Equal(
            [
                "Over-fitting",
                "Calibration before temperature",
                "Calibration after temperature",
                "Accuracy",
                "Under-fitting at large ε",
                "Selective risk",
            ],
            recommendation.Findings.Select(finding => finding.Split(':')[0])
        );
        Assert.Matches(
            @"^Calibration before temperature: ECE is 0\.\d+ at ε = 0 and 0\.\d+ at ε = 0\.3, lower \(−0\.\d+, 95 % interval −0\.\d+ "
                + @"to −0\.\d+\); the signed gap",
            recommendation.Findings[1]
        );
    }

    /// <summary>AUGRC prefers ε = 0.1 and AURC, by which older jobs are compared, ε = 0.3.</summary>
    [Theory]
    [InlineData(true, "Selective risk: AUGRC is 0.0400 at ε = 0 and 0.0200 at ε = 0.1, lower (−0.0200 with every seed, ")]
    [InlineData(
        false,
        "Selective risk: AURC, because some jobs have no AUGRC, is 0.100 at ε = 0 and 0.0500 at ε = 0.3, lower (−0.0500 with every seed, "
    )]
    public void Findings_OfSelectiveRisk_CompareByAugrcWhereEachJobHasIt(bool complete, string start)
    {
        var jobs = Jobs(Study, (arm, seed) => 0.1 + 0.01 * arm + 0.001 * Wobble(arm, seed))
            .Select(job =>
            {
                double[] aurc = [0.1, 0.07, 0.05],
                    augrc = [0.04, 0.02, 0.03];
                SplitScores With(SplitScores split, bool has) => split with { Aurc = aurc[job.Arm], Augrc = has ? augrc[job.Arm] : null };
                var scores = job.Scores;
                return job with
                {
                    Scores = scores with
                    {
                        Validation = With(scores.Validation, true),
                        Test = With(scores.Test, complete || job is not { Arm: 2, Seed: 1 }),
                    },
                };
            })
            .ToList();

        var findings = Assert.Single(Recommendation.Of(Study, Arms(Study), jobs)).Findings;

        Assert.StartsWith(start, findings[^1]);
    }

    private static readonly StudySpec OfLosses = Study with
    {
        Grid = new()
        {
            Loss = [LossName.CrossEntropy, LossName.Focal, LossName.ConfidencePenalty],
            Gamma = [2],
            Mixup = [0, 0.2],
        },
    };

    /// <summary>From the simplest to the least simple: each is chosen when those before it are clearly worse, and the rest tie.</summary>
    [Theory]
    [InlineData(
        "ε = 0, loss crossEntropy, mixup 0",
        RecommendedAction.Calibrate,
        "Train with cross-entropy on hard labels, and calibrate afterwards" + ByT
    )]
    [InlineData(
        "ε = 0.1, loss crossEntropy, mixup 0",
        RecommendedAction.Smooth,
        "Smooth the labels with ε = 0.1, and calibrate afterwards" + ByT
    )]
    [InlineData(
        "ε = 0.3, loss crossEntropy, mixup 0",
        RecommendedAction.Smooth,
        "Smooth the labels with ε = 0.3, and calibrate afterwards" + ByT
    )]
    [InlineData("loss focal, mixup 0", RecommendedAction.OtherLoss, "Train with focal with γ = 2, and calibrate afterwards" + ByT)]
    [InlineData(
        "ε = 0, loss crossEntropy, mixup 0.2",
        RecommendedAction.Mixup,
        "Train with ε = 0 and mixup with α = 0.2, and calibrate afterwards" + ByT
    )]
    public void Of_ATieOfLosses_TakesTheSimplestTraining(string expected, RecommendedAction action, string inShort)
    {
        string[] simplestFirst =
        [
            "ε = 0, loss crossEntropy, mixup 0",
            "ε = 0.1, loss crossEntropy, mixup 0",
            "ε = 0.3, loss crossEntropy, mixup 0",
            "loss focal, mixup 0",
            "loss confidencePenalty, mixup 0",
            "ε = 0, loss crossEntropy, mixup 0.2",
        ];
        var arms = OfLosses.Arms();
        // Focal comes out a little lower than the confidence penalty, which is as simple.
        var recommendation = Recommend(
            OfLosses,
            (arm, seed) =>
                (Place(arm) is >= 0 and var place && place < Array.IndexOf(simplestFirst, expected) ? 0.5 : 0.1)
                + (arms[arm].Label(OfLosses).Contains("focal") ? 0 : 0.001)
                + 0.01 * Wobble(arm, seed)
        );

        Assert.Equal(expected, recommendation.Arm!.Label(OfLosses));
        Assert.Equal(action, recommendation.Action);
        // ε = 0 ties with all others.
        Assert.Equal(
            recommendation.DifferenceExists ? inShort : $"No difference was shown; the simplest is to t{inShort[1..]}",
            recommendation.InShort
        );

        int Place(int arm) => Array.IndexOf(simplestFirst, arms[arm].Label(OfLosses));
    }

    private const string ByT = ": divide the logits by the temperature of the model that you use (2.00 on average).";

    /// <summary>
    /// Sentence and action agree on T, with a difference and without. The ECE before is 0.1. NLL, which would say the opposite, does
    /// not count.
    /// </summary>
    [Theory]
    [InlineData(0.08, 0.21, RecommendedAction.Calibrate)]
    [InlineData(0.12, 0.19, RecommendedAction.Nothing)]
    public void Of_HardLabelsByEce_SaysToCalibrateOnlyIfTemperatureLowersEce(double ece, double nll, RecommendedAction action)
    {
        foreach (var gap in new[] { 0, 0.3 })
        {
            var jobs = Jobs(Study, (arm, seed) => 0.1 + gap * arm + 0.001 * Wobble(arm, seed))
                .Select(job =>
                    job with
                    {
                        Scores = job.Scores with
                        {
                            Validation = job.Scores.Validation with { EceAfterTemperature = ece, NllAfterTemperature = nll },
                        },
                    }
                )
                .ToList();
            var recommendation = Assert.Single(Recommendation.Of(Study, Arms(Study), jobs, isOver: true));

            Assert.Equal((gap > 0, action), (recommendation.DifferenceExists, recommendation.Action));
            var calibrates = action == RecommendedAction.Calibrate;
            Assert.Equal(calibrates, recommendation.InShort!.EndsWith("calibrate afterwards" + ByT));
            Assert.Equal(calibrates && gap == 0, recommendation.Sentence.Contains("with temperature"));
        }
    }

    /// <summary>At ε = 0 maxSuppression is cross-entropy, so its study has hard labels too.</summary>
    [Fact]
    public void Of_ATieOfMaxSuppressionAlone_TakesTheLeastEpsilon()
    {
        var study = Study with { Job = Study.Job with { Loss = LossName.MaxSuppression } };
        var hard = Recommend(study, (arm, seed) => 0.1 - 0.0001 * arm + 0.01 * Wobble(arm, seed));
        var some = Recommend(study, (arm, seed) => (arm == 0 ? 0.5 : 0.1) - 0.0001 * arm + 0.01 * Wobble(arm, seed));

        Assert.Equal((0, RecommendedAction.Calibrate), (hard.Epsilon, hard.Action));
        Assert.Equal((0.1, RecommendedAction.OtherLoss), (some.Epsilon, some.Action));
        Assert.Equal("Train with maxSuppression with ε = 0.1, and calibrate afterwards" + ByT, some.InShort);
        Assert.StartsWith("Another loss: NLL after temperature is 0.190 at ε = 0 and 0.190 at ε = 0.", Assert.Single(some.Findings));
    }

    [Fact]
    public void Of_LossesAfterTemperature_SaysToCalibrateAfterwards()
    {
        var study = OfLosses with { Criterion = Criterion.NllAfterTemperature };
        var recommendation = Recommend(study, (_, _) => 0.1);

        Assert.Equal(RecommendedAction.Calibrate, recommendation.Action);
        Assert.Equal(
            "No difference was shown; the simplest is to train with cross-entropy on hard labels, and calibrate afterwards" + ByT,
            recommendation.InShort
        );
    }

    /// <summary>The NLL before is 0.2. T that helps some seeds and harms others is no more than chance.</summary>
    [Theory]
    [InlineData(0.19, 0.01, RecommendedAction.Calibrate)]
    [InlineData(0.18, 0.001, RecommendedAction.Calibrate)]
    [InlineData(0.19, 0.05, RecommendedAction.Nothing)]
    [InlineData(0.22, 0.001, RecommendedAction.Nothing)]
    public void Of_HardLabelsAfterTemperature_SaysToCalibrateOnlyIfTGainsMoreThanAStandardError(
        double mean,
        double scatter,
        RecommendedAction action
    )
    {
        var study = Study with { Criterion = Criterion.NllAfterTemperature };
        var jobs = Validated(
            Jobs(study, (_, _) => 0.1),
            (job, split) => split with { NllAfterTemperature = mean + scatter * Wobble(job.Arm, job.Seed) + 0.3 * job.Arm }
        );

        var recommendation = Assert.Single(Recommendation.Of(study, Arms(study), jobs, isOver: true));

        Assert.Equal((0, action), (recommendation.Epsilon, recommendation.Action));
        Assert.Equal(
            action == RecommendedAction.Calibrate,
            recommendation.Sentence.StartsWith("Use ε = 0 with temperature (T = 2.00 on average): by NLL after temperature")
        );
        Assert.Equal(
            action == RecommendedAction.Nothing,
            recommendation.InShort!.EndsWith(", and use the model as it is: a temperature gains no more than its standard error.")
        );
    }

    [Theory]
    [InlineData(SmoothingConvention.Uniform, "Smooth the labels with ε = 0.1, ")]
    [InlineData(SmoothingConvention.Others, "Smooth the labels with ε = 0.1 (others), ")]
    public void InShort_OfSmoothedLabels_HasEpsilonAsGiven(SmoothingConvention convention, string expected)
    {
        var study = Study with { Smoothing = [convention] };

        var recommendation = Recommend(study, (arm, seed) => (arm == 1 ? 0.02 : 0.2) + 0.001 * Wobble(arm, seed));

        Assert.Equal(0.1, recommendation.Epsilon);
        Assert.StartsWith(expected, recommendation.InShort);
    }

    /// <summary>
    /// By NLL, Brier score and accuracy the NLL tells whether T helps, also an arm that is not plain. Here it is 0.2 before, and the ECE
    /// would say the opposite.
    /// </summary>
    [Theory]
    [InlineData(Criterion.Nll, 0.19)]
    [InlineData(Criterion.Nll, 0.21)]
    [InlineData(Criterion.Brier, 0.19)]
    [InlineData(Criterion.Brier, 0.21)]
    [InlineData(Criterion.Accuracy, 0.19)]
    [InlineData(Criterion.Accuracy, 0.21)]
    public void Of_SmoothedLabels_SaysToCalibrateIfTemperatureLowersNll(Criterion criterion, double nllAfterTemperature)
    {
        var study = Study with { Criterion = criterion };
        var jobs = Validated(
            Jobs(study, (_, _) => 0.1),
            (job, split) =>
                split with
                {
                    Nll = job.Arm == 1 ? 0.2 : 0.4,
                    Brier = job.Arm == 1 ? 0.1 : 0.2,
                    Accuracy = job.Arm == 1 ? 0.9 : 0.8,
                    NllAfterTemperature = nllAfterTemperature,
                    EceAfterTemperature = nllAfterTemperature < 0.2 ? 0.5 : 0.01,
                }
        );

        var recommendation = Assert.Single(Recommendation.Of(study, Arms(study), jobs, isOver: true));

        Assert.Equal(RecommendedAction.Smooth, recommendation.Action);
        var afterwards =
            nllAfterTemperature < 0.2
                ? "calibrate afterwards" + ByT
                : "use the model as it is: a temperature gains no more than its standard error.";
        Assert.Equal($"Smooth the labels with ε = 0.1, and {afterwards}", recommendation.InShort);
    }

    [Fact]
    public void Of_JobsWithoutAFigureAfterTemperature_SaysNothingOfCalibration()
    {
        var study = Study with { Criterion = Criterion.SmoothEce };
        var jobs = Validated(Jobs(study, (_, _) => 0.1), (job, split) => split with { SmoothEce = 0.1 * (job.Arm + 1) });

        var recommendation = Assert.Single(Recommendation.Of(study, Arms(study), jobs, isOver: true));

        Assert.Equal((RecommendedAction.Nothing, true), (recommendation.Action, recommendation.DifferenceExists));
        Assert.Equal("Train with cross-entropy on hard labels.", recommendation.InShort);
    }

    [Fact]
    public void InShort_OfAStudyThatShowsNothing_SaysSo()
    {
        string InShort(StudySpec study, Func<int, double> loss, bool isOver = true) =>
            Assert
                .Single(
                    Recommendation.Of(study, Arms(study), Jobs(study, (arm, seed) => loss(arm) + 0.01 * Wobble(arm, seed)), isOver: isOver)
                )
                .InShort!;
        static double Lowest(int arm) => arm == 1 ? 0.1 : 0.5;
        const string Hard = "train with cross-entropy on hard labels, and calibrate afterwards" + ByT;
        const string Smoothed = "mooth the labels with ε = 0.1, and calibrate afterwards" + ByT;
        const string Alone = " It was not compared with plain training on hard labels.";

        Assert.Equal($"No difference was shown; the simplest is to {Hard}", InShort(Study, _ => 0.1));
        const string OneSeed = "One seed shows no difference; the simplest is to train with cross-entropy on hard labels";
        var afterT = Study with { Criterion = Criterion.NllAfterTemperature };
        Assert.Equal($"{OneSeed}.", InShort(Study with { Seeds = [1] }, Lowest));
        Assert.Equal($"{OneSeed}, and calibrate afterwards{ByT}", InShort(afterT with { Seeds = [1] }, Lowest));
        Assert.Equal($"Only one training can be judged: to {Hard}", InShort(Study with { Epsilons = [0] }, _ => 0.1));
        Assert.Equal($"So far: s{Smoothed}", InShort(Study, Lowest, isOver: false));
        Assert.Equal($"So far: no difference was shown; the simplest is to {Hard}", InShort(Study, _ => 0.1, isOver: false));
        Assert.Equal($"S{Smoothed}", InShort(Study, Lowest));
        Assert.Equal($"S{Smoothed}{Alone}", InShort(Study with { Epsilons = [0.3, 0.1] }, Lowest));
        Assert.Equal($"Only one training can be judged: to s{Smoothed}{Alone}", InShort(Study with { Epsilons = [0.1] }, _ => 0.1));
    }

    /// <summary>
    /// ε = 0.3 beats hard labels. ε = 0.1, which is chosen as the simpler of the tied, is between them.
    /// </summary>
    [Theory]
    [InlineData(0.5, 0.35, " It is not shown to be better than ε = 0.")]
    [InlineData(0.02, 0.0005, " It is significantly better than ε = 0.")]
    public void Of_ATieOfSmoothedArms_SaysWhetherTheRecommendedOneBeatsHardLabels(double loss, double scatter, string expected)
    {
        var recommendation = Recommend(
            Study,
            (arm, seed) =>
                arm switch
                {
                    0 => 1,
                    1 => loss + scatter * (seed - 2),
                    _ => 0.02 + 0.001 * Wobble(2, seed),
                }
        );

        Assert.Equal((0.1, "0.1 0.3"), (recommendation.Epsilon, string.Join(' ', recommendation.Tied)));
        Assert.Contains("1 of 3 is significantly worse than some arm.", recommendation.Sentence);
        Assert.Contains(expected, recommendation.Sentence);
    }

    /// <summary>A model that gives every image the same answer may have the lowest ECE.</summary>
    [Fact]
    public void Of_AnArmThatOnlyGuesses_IsNotJudged()
    {
        var jobs = Validated(
            Jobs(Study, (arm, seed) => 0.1 * (3 - arm) + 0.001 * Wobble(arm, seed)),
            (job, split) => job.Arm == 2 ? split with { Accuracy = 0.1 + 0.002 * Wobble(2, job.Seed) } : split
        );

        var recommendation = Assert.Single(Recommendation.Of(Study, Arms(Study), jobs));

        Assert.Equal(0.1, recommendation.Epsilon);
        Assert.Contains(" ε = 0.3 diverged with 5 of 5 seeds.", recommendation.Sentence);
        Assert.Equal((5, false), (recommendation.Arms[^1].Diverged, recommendation.Arms[^1].IsJudged));
        // Half as much accuracy as the others is more than chance.
        Assert.Equal(0.3, Assert.Single(Recommendation.Of(Study, Arms(Study), Weak(0.45))).Epsilon);

        List<StudyJob> Weak(double accuracy) =>
            Validated(jobs, (job, split) => job.Arm == 2 ? split with { Accuracy = accuracy + 0.002 * Wobble(2, job.Seed) } : split);
    }

    [Fact]
    public void Of_AnArmThatIsBestByEceAndLessAccurate_SaysSo()
    {
        static List<StudyJob> Jobs(StudySpec study, double accuracy) =>
            Validated(
                RecommendationTests.Jobs(study, (arm, seed) => 0.1 * (3 - arm) + 0.001 * Wobble(arm, seed)),
                (job, split) =>
                    split with
                    {
                        Accuracy = (job.Arm == 2 ? accuracy : 0.9 + 0.02 * job.Arm) + 0.001 * Wobble(job.Arm, job.Seed),
                    }
            );
        static Recommendation Recommend(StudySpec study, double accuracy) =>
            Assert.Single(Recommendation.Of(study, Arms(study), Jobs(study, accuracy)));

        Assert.Matches(
            @" No ECE sees accuracy: that of ε = 0\.3 on validation is significantly lower than that of ε = 0\.1 "
                + @"\(0\.45\d against 0\.9[12]\d\)\.",
            Recommend(Study, 0.45).Sentence
        );
        Assert.DoesNotContain("sees accuracy", Recommend(Study, 0.92).Sentence);
        Assert.DoesNotContain("sees accuracy", Recommend(Study with { Criterion = Criterion.Nll }, 0.45).Sentence);
    }

    /// <summary>ε = 0 has as many seeds as the others, but only one in common with them, so none could ever beat it.</summary>
    [Fact]
    public void Of_AnArmWithOtherSeeds_IsNotJudged()
    {
        var jobs = Jobs(Study with { Seeds = [.. Enumerable.Range(0, 8)] }, (arm, seed) => 0.5 - 0.1 * arm + 0.001 * Wobble(arm, seed))
            .Where(job => job.Arm == 0 ? job.Seed > 3 : job.Seed < 5)
            .ToList();

        var recommendation = Assert.Single(Recommendation.Of(Study, Arms(Study), jobs));

        Assert.Equal(0.3, recommendation.Epsilon);
        Assert.False(recommendation.Arms.Single(arm => arm.Arm.Epsilon == 0).IsJudged);
        Assert.EndsWith(" Too few jobs have succeeded to judge ε = 0.", recommendation.Sentence);
    }

    /// <summary>ε = 0.3 has the lowest mean with one of five seeds and is not judged.</summary>
    [Fact]
    public void Of_AConstantDifference_NamesTheJudgedArmWithTheLowestMean()
    {
        var jobs = Jobs(Study, (arm, seed) => 0.1 * (3 - arm) + 0.01 * seed).Where(job => job.Arm != 2 || job.Seed == 0).ToList();

        Assert.Contains(
            " The difference between ε = 0.1 and ε = 0 is the same with every seed",
            Assert.Single(Recommendation.Of(Study, Arms(Study), jobs)).Sentence
        );
    }

    /// <summary>
    /// Of arms that differ from ε = 0 by chance only, the one that is best on validation has the same luck on the test set. The interval
    /// allows for the choice among five.
    /// </summary>
    [Fact]
    public void Findings_OfTheBestOfSeveralArms_HaveAnIntervalForTheChoice()
    {
        var few = Study with { Epsilons = [0, 0.1] };
        var many = Study with { Epsilons = [0, 0.1, 0.2, 0.3, 0.4, 0.5] };
        string Accuracy(StudySpec study) =>
            Recommend(study, (arm, seed) => 0.1 + (arm == 1 ? 0 : 0.02 * arm) + 0.01 * Wobble(arm % 2, seed))
                .Findings.Single(finding => finding.StartsWith("Accuracy: "));

        var difference = PairedDifference.Of(
            new[] { 0L, 1, 2, 3, 4 }.ToDictionary(seed => seed, seed => -0.001 * Wobble(1, seed)),
            new[] { 0L, 1, 2, 3, 4 }.ToDictionary(seed => seed, seed => -0.001 * Wobble(0, seed)),
            0.0001
        );
        string Interval(double tail) =>
            difference.Interval(tail) is { } range ? $"95 % interval {Numeral.Signed(range.Low)} to {Numeral.Signed(range.High)})." : "";

        Assert.EndsWith(Interval(0.025), Accuracy(few));
        Assert.EndsWith(Interval(0.025 / 5), Accuracy(many));
        Assert.NotEqual(Accuracy(few), Accuracy(many));
    }

    private static List<StudyJob> Validated(IEnumerable<StudyJob> jobs, Func<StudyJob, SplitScores, SplitScores> change) =>
        [.. jobs.Select(job => job with { Scores = job.Scores with { Validation = change(job, job.Scores.Validation) } })];

    [Fact]
    public void Findings_OfEachOtherLoss_CompareItsBestArmWithCrossEntropyOnHardLabels()
    {
        var study = OfLosses with { Grid = OfLosses.Grid! with { Gamma = [1, 2], Mixup = null } };
        var arms = study.Arms();
        var recommendation = Recommend(
            study,
            (arm, seed) => (arms[arm].Label(study) == "loss focal, gamma 1" ? 0.02 : 0.1) + 0.001 * Wobble(arm, seed),
            test: (arm, _) => arms[arm].Label(study).StartsWith("loss focal") ? 0.2 : 0.1
        );

        var findings = recommendation.Findings.Where(finding => finding.StartsWith("Another loss: ")).ToArray();
        Assert.Equal(2, findings.Length);
        Assert.Contains("NLL after temperature is 0.190 at ε = 0, loss crossEntropy and 0.190 at loss focal, gamma 1", findings[0]);
        Assert.Contains(
            "test accuracy is 0.940 at ε = 0, loss crossEntropy and 0.930 at loss focal, gamma 1, lower (−0.0100 with every seed",
            findings[0]
        );
        Assert.Contains("loss confidencePenalty", findings[1]);
        // What smoothing does is told too, although the chosen arm has another loss.
        Assert.Contains(recommendation.Findings, finding => finding.StartsWith("Calibration before temperature: ECE is "));
    }

    /// <summary>The first figure is the accuracy, the second one the ECE after temperature, both for ε = 0 and then for ε = 0.1.</summary>
    [Theory]
    [InlineData(0.70, 0.74, 0.2, 0.2, ": smoothing helps under corruption.")]
    [InlineData(0.70, 0.70, 0.2, 0.1, ": smoothing helps under corruption.")]
    [InlineData(0.70, 0.66, 0.2, 0.3, ": smoothing harms under corruption.")]
    [InlineData(0.70, 0.74, 0.2, 0.3, ": smoothing helps one and harms the other under corruption.")]
    [InlineData(0.70, 0.70, 0.2, 0.2, ": smoothing does not help under corruption that these seeds could show.")]
    public void Findings_OfCorruptedImages_SayWhetherSmoothingHelps(
        double plainAccuracy,
        double smoothedAccuracy,
        double plainEce,
        double smoothedEce,
        string verdict
    )
    {
        // ε = 0.3 is worse on validation and far better on corrupted images.
        var jobs = Corrupted(
            Jobs(Study, (arm, seed) => 0.1 + 0.1 * arm + 0.001 * Wobble(arm, seed)),
            job =>
                job.Arm switch
                {
                    0 => (plainAccuracy, plainEce),
                    1 => (smoothedAccuracy, smoothedEce),
                    _ => (0.99, 0.001),
                }
        );

        var finding = Corruption(jobs);

        Assert.Matches(
            @"^Robustness to corruption: accuracy on corrupted test images is 0\.\d+ at ε = 0 and 0\.\d+ at ε = 0\.1, .+; their ECE after "
                + @"temperature is 0\.\d+ at ε = 0 and 0\.\d+ at ε = 0\.1, ",
            finding
        );
        Assert.EndsWith(verdict, finding);
        // One seed tells nothing of chance.
        Assert.DoesNotContain("under corruption", Corruption([.. jobs.Where(job => job.Seed == 0)]));
    }

    [Fact]
    public void Findings_OfJobsOfWhichSomeHaveNoCorruptedImages_UseTheSeedsThatBothArmsHave()
    {
        var jobs = Corrupted(Jobs(Study, (arm, seed) => 0.1 + 0.1 * arm), job => (0.5 + 0.1 * job.Seed + 0.01 * job.Arm, 0.2))
            .Select(job => job is { Arm: 0, Seed: < 2 } or { Arm: 1, Seed: > 2 } ? job with { Corrupted = null } : job)
            .ToList();

        // Seed 2 is left.
        Assert.Contains("images is 0.700 at ε = 0 and 0.710 at ε = 0.1; their ECE", Corruption(jobs));
        Assert.DoesNotContain(
            Assert.Single(Recommendation.Of(Study, Arms(Study), [.. jobs.Where(job => job is not { Seed: 2 })])).Findings,
            finding => finding.StartsWith("Robustness")
        );
    }

    private static string Corruption(IReadOnlyList<StudyJob> jobs) =>
        Assert
            .Single(Recommendation.Of(Study, Arms(Study), jobs))
            .Findings.Single(finding => finding.StartsWith("Robustness to corruption: ", StringComparison.Ordinal));

    private static List<StudyJob> Corrupted(IReadOnlyList<StudyJob> jobs, Func<StudyJob, (double Accuracy, double Ece)> figures) =>
        [
            .. jobs.Select(job =>
                job with
                {
                    Corrupted = job.Scores.Test with
                    {
                        Accuracy = figures(job).Accuracy + 0.001 * Wobble(job.Arm, job.Seed),
                        EceAfterTemperature = figures(job).Ece + 0.001 * Wobble(job.Arm, job.Seed),
                    },
                }
            ),
        ];

    [Fact]
    public void Findings_OfMixup_CompareItsBestArmOnValidationWithTheArmThatIsOtherwiseEqual()
    {
        var study = Study with
        {
            Epsilons = [0.1, 0.3],
            Grid = new() { Mixup = [0, 0.2, 1], Dropout = [0, 0.5] },
        };
        var labels = study.Arms().Select(arm => arm.Label(study)).ToArray();
        // ε = 0.3 is chosen, and of its arms with mixup α = 0.2, although the test set prefers α = 1.
        var jobs = Jobs(
                study,
                (arm, seed) =>
                    labels[arm] switch
                    {
                        "ε = 0.3, mixup 0, dropout 0" => 0.02,
                        "ε = 0.3, mixup 0.2, dropout 0" => 0.1,
                        _ => 0.3,
                    }
                    + 0.001 * Wobble(arm, seed),
                (arm, _) => labels[arm].Contains("mixup 1") ? 0.01 : 0.2
            )
            .Select(job =>
                labels[job.Arm].Contains("mixup 0.2")
                    ? job with
                    {
                        Scores = job.Scores with
                        {
                            Test = job.Scores.Test with { NllAfterTemperature = 0.25, Accuracy = 0.95, SignedGap = -0.1 - 0.01 * job.Seed },
                        },
                    }
                    : job
            )
            .ToList();

        var recommendation = Assert.Single(Recommendation.Of(study, Arms(study), jobs));

        Assert.Equal("ε = 0.3, mixup 0, dropout 0", recommendation.Arm!.Label(study));
        Assert.Equal(
            "Mixup: NLL after temperature is 0.190 at ε = 0.3, mixup 0, dropout 0 and 0.250 at ε = 0.3, mixup 0.2, dropout 0, higher "
                + "(+0.0600 with every seed, 95 % interval +0.0600 to +0.0600); test accuracy is 0.930 at ε = 0.3, mixup 0, dropout 0 and "
                + "0.950 at ε = 0.3, mixup 0.2, dropout 0, higher (+0.0200 with every seed, 95 % interval +0.0198 to +0.0202); "
                + "the signed gap, negative when under-confident, is 0.200 at ε = 0.3, mixup 0, dropout 0 and "
                + "−0.120 at ε = 0.3, mixup 0.2, dropout 0, lower (−0.320, 95 % interval −0.345 to −0.295).",
            Assert.Single(recommendation.Findings)
        );
    }

    private static Recommendation Recommend(StudySpec study, Func<int, long, double> validation, Func<int, long, double>? test = null) =>
        Assert.Single(Recommendation.Of(study, Arms(study), Jobs(study, validation, test), isOver: true));

    private static IReadOnlyList<StudyArm> Arms(StudySpec study) =>
        [.. study.Arms().Select((arm, number) => new StudyArm(number, arm, null))];

    private static IReadOnlyList<StudyJob> Jobs(
        StudySpec study,
        Func<int, long, double> validation,
        Func<int, long, double>? test = null
    ) =>
        [
            .. from arm in Arms(study)
            from seed in study.Seeds!
            select new StudyJob(
                Guid.NewGuid(),
                arm.Number,
                seed,
                0.99,
                2,
                new(2, Split(validation(arm.Number, seed)), Split((test ?? validation)(arm.Number, seed)))
            ),
        ];

    private static SplitScores Split(double ece) => new(0.95 - ece / 10, 0.2, 0.1, ece, ece, 0.01, 0.19, 0.01);

    /// <summary>A pseudo-random value from −1 to 1.</summary>
    private static double Wobble(int arm, long seed) =>
        Math.Sin(12.9898 * arm + 78.233 * seed + 1) is var x ? 2 * (x * 43758.5453 - Math.Floor(x * 43758.5453)) - 1 : 0;
}
