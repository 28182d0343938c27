using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Unit.Domain.Jobs;

public class SpecRevisionTests
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "mnist",
        Epsilon = 0.1,
        Epochs = 3,
    };

    [Fact]
    public void Of_SpecsWithAndWithoutAdditions_IsTheLatestRevisionThatTheyNeed()
    {
        (int, Func<JobSpec, bool>)[] additions = [(2, spec => spec.Width is not null), (3, spec => spec.Model == ModelName.Mlp)];

        Assert.Equal(1, SpecRevision.Of(Spec, additions));
        Assert.Equal(2, SpecRevision.Of(Spec with { Width = 8 }, additions));
        Assert.Equal(3, SpecRevision.Of(Spec with { Width = 8, Model = ModelName.Mlp }, additions));
    }

    [Fact]
    public void Of_WhatOlderBuildsLack_IsTwo()
    {
        Assert.Equal(1, SpecRevision.Of(Spec));
        Assert.Equal(2, SpecRevision.Of(Spec with { Epsilon = 0, Loss = LossName.Focal }));
        Assert.Equal(2, SpecRevision.Of(Spec with { Mixup = 0.2 }));
        Assert.Equal(2, SpecRevision.Of(Spec with { Dropout = 0.2 }));
        Assert.Equal(2, SpecRevision.Of(Spec with { Initialization = InitializationName.Gaussian }));
        Assert.Equal(2, SpecRevision.Of(Spec with { Schedule = ScheduleName.Linear }));
        Assert.Equal(2, SpecRevision.Of(Spec with { Corruptions = true }));
        Assert.Equal(2, SpecRevision.Of(Spec with { Keep = KeepName.Nll }));
    }

    [Fact]
    public void Of_AnySpec_IsKnown() => Assert.InRange(SpecRevision.Of(Spec), 1, SpecRevision.Known);

    /// <summary>
    /// Fails when the format of specs has a field or a value more. Workers of older builds would ignore it or fail, so the addition
    /// needs a line in <see cref="SpecRevision"/>, and then its name here, with its revision. A recipe's values are fields of the
    /// stored spec, so every build trains it.
    /// </summary>
    [Fact]
    public void Format_ComparedWithTheRevisions_HasNothingElse() =>
        Assert.Equal(
            """
            1: augmentation batchSize data dataset device epochs epsilon gradientClip labelNoise learningRate maxAttempts model name notify
            1: optimizer priority seed smoothing tags timeoutSeconds validationFraction warmupEpochs weightDecay width widths
            1: augmentation=none|cropFlip|shift device=auto|cpu|cuda model=cnn|resnet20|resnet56|mlp|lenet5 optimizer=adam|sgd
            1: schedule smoothing=uniform|others
            2: schedule=constant|cosine|step|linear
            2: dropout initialization initialization=standard|gaussian
            1: recipe
            2: beta gamma gammaSchedule gammaSchedule=constant|flsd53 loss margin mixup weight
            2: loss=crossEntropy|focal|confidencePenalty|marginSmoothing|maxSuppression
            2: corruptions
            2: keep keep=last|nll|nllAfterTemperature
            """.Split('\n').SelectMany(line => line.Split(' ').Skip(1)).Order(StringComparer.Ordinal),
            typeof(JobSpec)
                .GetProperties()
                .SelectMany(field => field.PropertyType.IsEnum ? [Name(field.Name), Values(field)] : new[] { Name(field.Name) })
                .Order(StringComparer.Ordinal)
        );

    private static string Values(System.Reflection.PropertyInfo field) =>
        $"{Name(field.Name)}={string.Join('|', Enum.GetNames(field.PropertyType).Select(Name))}";

    private static string Name(string name) => JsonNamingPolicy.CamelCase.ConvertName(name);
}
