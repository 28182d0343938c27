using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Domain.Studies;

namespace Temper.Unit.Domain.Studies;

public class StudyGridTests
{
    private static readonly StudySpec Study = new()
    {
        Job = new()
        {
            Dataset = "mnist",
            Epsilon = 0,
            Epochs = 1,
        },
        Epsilons = [0],
        Seeds = [0],
        Criterion = Criterion.Accuracy,
        Grid = new() { ValidationFraction = [0.2, 0.1], Device = [DeviceName.Cpu] },
    };

    /// <summary>Those that remain say when and how often a job may run, and which epoch it keeps, not what it trains.</summary>
    [Fact]
    public void Fields_WithTheOtherAxes_AreAllNumbersAndEnumerationsThatChangeWhatIsTrained()
    {
        var compared = StudyGrid.Fields.Concat(StudySpecRule.Axes.Values).Append("seed").ToHashSet();

        Assert.Equal(
            ["keep", "maxAttempts", "priority", "timeoutSeconds"],
            typeof(JobSpec)
                .GetProperties()
                .Where(property => IsNumberOrEnumeration(property.PropertyType))
                .Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name))
                .Where(name => !compared.Contains(name))
                .Order()
        );
    }

    [Fact]
    public void Jobs_OfAGrid_HaveItsValues() =>
        Assert.Equal(
            [(0.2, DeviceName.Cpu), (0.1, DeviceName.Cpu)],
            Study.Jobs().Select(job => (job.Spec.ValidationFraction, job.Spec.Device))
        );

    private static readonly StudySpec OfLosses = Study with
    {
        Epsilons = [0, 0.1],
        Grid = new()
        {
            Loss = [LossName.CrossEntropy, LossName.Focal, LossName.MarginSmoothing, LossName.MaxSuppression],
            GammaSchedule = [GammaScheduleName.Constant, GammaScheduleName.Flsd53],
            Gamma = [2, 3],
            Margin = [6],
            Mixup = [0, 0.2],
        },
    };

    [Fact]
    public void Arms_OfSeveralLosses_HaveEachLossWithItsOwnSettingsOnce()
    {
        var arms = OfLosses.Arms();

        Assert.Equal(
            [
                "ε = 0, loss crossEntropy, mixup 0",
                "ε = 0.1, loss crossEntropy, mixup 0",
                "ε = 0, loss crossEntropy, mixup 0.2",
                "ε = 0.1, loss crossEntropy, mixup 0.2",
                "loss focal, gamma schedule constant, gamma 2, mixup 0",
                "loss focal, gamma schedule constant, gamma 2, mixup 0.2",
                "loss focal, gamma schedule constant, gamma 3, mixup 0",
                "loss focal, gamma schedule constant, gamma 3, mixup 0.2",
                "loss focal, gamma schedule flsd53, mixup 0",
                "loss focal, gamma schedule flsd53, mixup 0.2",
                "loss marginSmoothing, mixup 0",
                "loss marginSmoothing, mixup 0.2",
                "ε = 0.1, loss maxSuppression, mixup 0",
                "ε = 0.1, loss maxSuppression, mixup 0.2",
            ],
            arms.Select(arm => arm.Label(OfLosses))
        );
        Assert.Equal(arms.Count, OfLosses.CountArms());
        Assert.All(arms, arm => Assert.Empty(JobSpecRule.BrokenBy(arm.On(OfLosses.Job))));
        Assert.Equal(arms.Count, arms.Select(arm => arm.On(OfLosses.Job)).Distinct().Count());
    }

    public static TheoryData<StudySpec> Countable =>
        [
            Study,
            OfLosses,
            OfLosses with
            {
                Smoothing = [SmoothingConvention.Uniform, SmoothingConvention.Others],
                LearningRates = [0.1, 0.2],
            },
            OfLosses with
            {
                Grid = new() { Loss = [LossName.MaxSuppression] },
            },
            OfLosses with
            {
                Grid = null,
                Job = Study.Job with { Loss = LossName.Focal },
            },
            OfLosses with
            {
                Grid = new() { Gamma = [1, 2] },
                Job = Study.Job with { Loss = LossName.Focal },
            },
            OfLosses with
            {
                Grid = OfLosses.Grid! with { GammaSchedule = null },
                Job = Study.Job with { Gamma = 1 },
            },
        ];

    [Theory]
    [MemberData(nameof(Countable))]
    public void CountArms_WithoutListingThem_IsTheirNumber(StudySpec study) => Assert.Equal(study.Arms().Count, study.CountArms());

    [Fact]
    public void BrokenBy_ASettingOfALossThatTheStudyLacks_NamesIt()
    {
        Assert.Equal(["grid.beta"], Broken(OfLosses with { Grid = OfLosses.Grid! with { Beta = [1] } }));
        Assert.Equal(["job.beta"], Broken(OfLosses with { Job = Study.Job with { Beta = 1 } }));
        Assert.Equal(["grid.gamma"], Broken(OfLosses with { Grid = OfLosses.Grid! with { GammaSchedule = [GammaScheduleName.Flsd53] } }));
        Assert.Empty(Broken(OfLosses with { Job = Study.Job with { Weight = 1 } }));

        static IEnumerable<string> Broken(StudySpec study) => StudySpecRule.BrokenBy(study).Select(rule => rule.Field);
    }

    [Fact]
    public void Resolution_OfAnErrorRateWithoutKeptLogits_IsThatOfTheSmallestSplit() =>
        Assert.Equal(1 / 6000.0, Criterion.Accuracy.Resolution(Study, []), 1e-12);

    private static bool IsNumberOrEnumeration(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum || type == typeof(int) || type == typeof(long) || type == typeof(double);
    }
}
