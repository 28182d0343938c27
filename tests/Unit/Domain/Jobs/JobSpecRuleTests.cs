using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Unit.Domain.Jobs;

public class JobSpecRuleTests
{
    private static readonly JobSpec Valid = new()
    {
        Dataset = "mnist",
        Epsilon = 0.1,
        Epochs = 3,
    };

    private static readonly JobSpec Hard = Valid with { Epsilon = 0 };

    [Fact]
    public void BrokenBy_OnlyTheRequiredFields_BreaksNothing() => Assert.Empty(JobSpecRule.BrokenBy(Valid));

    public static TheoryData<string, JobSpec> SpecsWithOneWrongField =>
        new()
        {
            { "dataset", Valid with { Dataset = "imagenet" } },
            { "epsilon", Valid with { Epsilon = -0.1 } },
            { "epsilon", Valid with { Epsilon = 1.1 } },
            { "epsilon", Valid with { Epsilon = double.NaN } },
            { "epsilon", Valid with { Epsilon = 0.91, Smoothing = SmoothingConvention.Others } },
            { "epochs", Valid with { Epochs = 0 } },
            { "epochs", Valid with { Epochs = 10_001 } },
            { "smoothing", Valid with { Smoothing = (SmoothingConvention)9 } },
            { "smoothing", Hard with { Loss = LossName.Focal, Smoothing = SmoothingConvention.Others } },
            { "loss", Hard with { Loss = (LossName)9 } },
            { "epsilon", Valid with { Loss = LossName.Focal } },
            { "gamma", Hard with { Gamma = 2 } },
            { "gamma", Hard with { Loss = LossName.Focal, Gamma = 10.1 } },
            { "gamma", Hard with { Loss = LossName.Focal, Gamma = 2, GammaSchedule = GammaScheduleName.Flsd53 } },
            { "gammaSchedule", Hard with { Loss = LossName.Focal, GammaSchedule = (GammaScheduleName)9 } },
            { "gammaSchedule", Hard with { GammaSchedule = GammaScheduleName.Flsd53 } },
            { "beta", Hard with { Beta = 0.1 } },
            { "beta", Hard with { Loss = LossName.ConfidencePenalty, Beta = -0.1 } },
            { "margin", Hard with { Loss = LossName.Focal, Margin = 10 } },
            { "margin", Hard with { Loss = LossName.MarginSmoothing, Margin = double.NaN } },
            { "weight", Hard with { Weight = 0.1 } },
            { "weight", Hard with { Loss = LossName.MarginSmoothing, Weight = 11 } },
            { "mixup", Valid with { Mixup = -0.1 } },
            { "mixup", Valid with { Mixup = 2.1 } },
            { "mixup", Valid with { Mixup = 1e-320 } },
            { "gamma", Hard with { Loss = LossName.Focal, Gamma = 0 } },
            { "beta", Hard with { Loss = LossName.ConfidencePenalty, Beta = 0 } },
            { "weight", Hard with { Loss = LossName.MarginSmoothing, Weight = 0 } },
            { "recipe", Valid with { Recipe = "vgg" } },
            { "dropout", Valid with { Dropout = 0.5 } },
            { "dropout", Valid with { Model = ModelName.Mlp, Dropout = 0.91 } },
            { "initialization", Valid with { Initialization = InitializationName.Gaussian } },
            { "initialization", Valid with { Model = ModelName.Mlp, Initialization = (InitializationName)9 } },
            { "model", Valid with { Model = (ModelName)9 } },
            { "width", Valid with { Width = 16 } },
            { "width", Valid with { Model = ModelName.Resnet20, Width = 12 } },
            { "width", Valid with { Model = ModelName.Resnet56, Width = 104 } },
            { "width", Valid with { Model = ModelName.Mlp, Width = 16 } },
            { "widths", Valid with { Widths = [1200] } },
            { "widths", Valid with { Model = ModelName.Mlp, Widths = [] } },
            { "widths", Valid with { Model = ModelName.Mlp, Widths = [10, 0] } },
            { "widths", Valid with { Model = ModelName.Mlp, Widths = [2049] } },
            { "widths", Valid with { Model = ModelName.Mlp, Widths = [1, 2, 3, 4, 5] } },
            { "schedule", Valid with { Schedule = (ScheduleName)9 } },
            { "warmupEpochs", Valid with { WarmupEpochs = 4 } },
            { "gradientClip", Valid with { GradientClip = 0 } },
            { "augmentation", Valid with { Augmentation = (AugmentationName)9 } },
            { "batchSize", Valid with { BatchSize = 0 } },
            { "batchSize", Valid with { BatchSize = 8193 } },
            { "batchSize", Valid with { Model = ModelName.Resnet20, BatchSize = 2049 } },
            { "batchSize", Valid with { Model = ModelName.Resnet56, Width = 96, BatchSize = 342 } },
            { "learningRate", Valid with { LearningRate = 0 } },
            { "learningRate", Valid with { LearningRate = double.PositiveInfinity } },
            { "weightDecay", Valid with { WeightDecay = -1e-9 } },
            { "seed", Valid with { Seed = -1 } },
            { "seed", Valid with { Seed = 1L << 53 } },
            { "validationFraction", Valid with { ValidationFraction = 0 } },
            { "validationFraction", Valid with { ValidationFraction = 0.51 } },
            { "keep", Valid with { Keep = (KeepName)9 } },
            { "labelNoise", Valid with { LabelNoise = 1.01 } },
            { "priority", Valid with { Priority = 1001 } },
            { "maxAttempts", Valid with { MaxAttempts = 0 } },
            { "timeoutSeconds", Valid with { TimeoutSeconds = 0 } },
            { "name", Valid with { Name = "two\nlines" } },
            { "name", Valid with { Name = " " } },
            { "name", Valid with { Name = new string('x', 201) } },
            { "tags", Valid with { Tags = ["a", "a"] } },
            { "tags", Valid with { Tags = [""] } },
            { "tags", Valid with { Tags = ["nul\0"] } },
            { "tags", Valid with { Tags = [.. Enumerable.Range(0, 21).Select(i => $"tag{i}")] } },
        };

    [Theory]
    [MemberData(nameof(SpecsWithOneWrongField))]
    public void BrokenBy_OneWrongField_NamesThatField(string field, JobSpec spec) =>
        Assert.Equal(field, Assert.Single(JobSpecRule.BrokenBy(spec)).Field);

    [Fact]
    public void BrokenBy_SeveralWrongFields_NamesThemAll() =>
        Assert.Equal(
            ["epsilon", "epochs", "batchSize"],
            JobSpecRule.BrokenBy(Valid with { Epsilon = 2, Epochs = 0, BatchSize = 0 }).Select(rule => rule.Field)
        );

    [Fact]
    public void BrokenBy_EpsilonAtItsConventionsLimit_BreaksNothing()
    {
        Assert.Empty(JobSpecRule.BrokenBy(Valid with { Epsilon = 1 }));
        Assert.Empty(JobSpecRule.BrokenBy(Valid with { Epsilon = 0.9, Smoothing = SmoothingConvention.Others }));
    }

    [Theory]
    [InlineData(149, "keep")] // 1.49 images are one
    [InlineData(150, null)]
    public void BrokenBy_KeepWithFewValidationImages_NamesKeep(int trainImages, string? field)
    {
        var spec = Valid with
        {
            Dataset = "few@1",
            Data = new("00", 10, 1, 8, 8, trainImages, ValidationImages: 0, TestImages: 10),
            Model = ModelName.Mlp,
            ValidationFraction = 0.01,
        };

        Assert.Empty(JobSpecRule.BrokenBy(spec));
        foreach (var keep in new[] { KeepName.Nll, KeepName.NllAfterTemperature })
            Assert.Equal(field, JobSpecRule.BrokenBy(spec with { Keep = keep }).SingleOrDefault()?.Field);
    }

    [Fact]
    public void All_EveryFieldOfASpec_HasARule()
    {
        var fields = typeof(JobSpec).GetProperties().Select(property => char.ToLowerInvariant(property.Name[0]) + property.Name[1..]);

        Assert.Equal(fields.Order(), JobSpecRule.All.Select(rule => rule.Field).Distinct().Order());
    }
}
