using Temper.Domain.Jobs;

namespace Temper.Unit.Domain.Jobs;

public class ReproductionTests
{
    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 1, "cpu", 2, "libtorch 1.13.0", "aa", [], "dd", "bb");

    private static readonly EpochMetrics Epoch = new(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400);

    [Fact]
    public void Of_TheSameButForTheTimes_IsBitEqual()
    {
        var reproduction = Of(Result, Epoch with { Seconds = 9, ImagesPerSecond = 1 });

        Assert.Equal(ReproductionVerdict.BitEqual, reproduction.Verdict);
        Assert.Empty(reproduction.Changed);
        Assert.All(reproduction.Figures, figure => Assert.Equal(figure.Was, figure.Is));
    }

    public static TheoryData<JobResult, EpochMetrics> HardlyDifferent =>
        new()
        {
            { Result with { WeightsSha256 = "ab" }, Epoch },
            { Result, Epoch with { TrainLoss = Math.BitIncrement(Epoch.TrainLoss) } },
            { Result with { TestLoss = Math.BitIncrement(Result.TestLoss) }, Epoch },
            { Result with { TestAccuracy = 0.9855, TestLoss = 0.0495, TestEce = 0.0005, TestSignedGap = 0.0045 }, Epoch },
        };

    [Theory]
    [MemberData(nameof(HardlyDifferent))]
    public void Of_AnythingElseButTimesNotTheSame_IsNotBitEqual(JobResult result, EpochMetrics epoch) =>
        Assert.Equal(ReproductionVerdict.WithinTolerance, Of(result, epoch).Verdict);

    [Fact]
    public void Of_OneFigureBeyondItsTolerance_IsDifferent()
    {
        foreach (
            var result in new[]
            {
                Result with
                {
                    TestAccuracy = 0.98,
                },
                Result with
                {
                    TestLoss = 0.06,
                },
                Result with
                {
                    TestEce = 0.03,
                },
                Result with
                {
                    TestSignedGap = 0.01,
                },
            }
        )
            Assert.Equal(ReproductionVerdict.Different, Of(result with { WeightsSha256 = "ab" }, Epoch).Verdict);
    }

    [Fact]
    public void Of_OtherCircumstances_NamesThemAll()
    {
        var reproduction = Of(new(0.99, 0.04, 0.01, -0.005, 1, "cuda:0", 4, "libtorch 2.9", "ab", [], "ee", "cc"), Epoch);

        Assert.Equal(["data", "build", "libtorch", "device", "threads"], reproduction.Changed.Select(change => change.Name));
        Assert.Contains("threads, from 2 to 4", reproduction.Sentence);
    }

    [Fact]
    public void Of_AnOlderResult_SaysWhatItDidNotRecord()
    {
        var reproduction = Reproduction.Of(Guid.NewGuid(), Result with { DataSha256 = null, Build = null }, [Epoch], Result, [Epoch]);

        Assert.Equal(["data", "build"], reproduction.Changed.Select(change => change.Name));
        Assert.Contains("data, not recorded the first time", reproduction.Sentence);
    }

    [Fact]
    public void Of_AnOriginalWhoseEpochsWereRemoved_IsEqualByItsWeightsAndSaysSo()
    {
        var reproduction = Reproduction.Of(Guid.NewGuid(), Result, [], Result, [Epoch]);

        Assert.Equal(ReproductionVerdict.BitEqual, reproduction.Verdict);
        Assert.Contains("The epochs are no longer kept.", reproduction.Sentence);
    }

    private static Reproduction Of(JobResult second, EpochMetrics epoch) =>
        Reproduction.Of(Guid.NewGuid(), Result, [Epoch], second, [epoch]);
}
