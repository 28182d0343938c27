using System.Collections;
using System.Text.Json.Serialization.Metadata;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>
/// Values to compare of fields of the job spec that have no list of their own in a study. Each property replaces the field of the
/// same name; that of `job` counts when it is absent. The grid has every number and every enumeration that changes what is trained.
/// </summary>
public sealed record StudyGrid
{
    private static readonly JsonPropertyInfo[] Properties = [.. Json.Options.GetTypeInfo(typeof(StudyGrid)).Properties];

    /// <summary>
    /// Losses. Those without an ε have one arm for all values of ε, and each has only its own settings: `gamma` varies within `focal`.
    /// </summary>
    public IReadOnlyList<LossName>? Loss { get; init; }

    /// <summary>Schedules of γ of the focal loss.</summary>
    public IReadOnlyList<GammaScheduleName>? GammaSchedule { get; init; }

    /// <summary>γ of the focal loss, with the schedule `constant`.</summary>
    public IReadOnlyList<double>? Gamma { get; init; }

    /// <summary>β of the confidence penalty.</summary>
    public IReadOnlyList<double>? Beta { get; init; }

    /// <summary>Margins of margin smoothing.</summary>
    public IReadOnlyList<double>? Margin { get; init; }

    /// <summary>Weights of margin smoothing.</summary>
    public IReadOnlyList<double>? Weight { get; init; }

    /// <summary>α of mixup; 0 among them is none.</summary>
    public IReadOnlyList<double>? Mixup { get; init; }

    /// <summary>Numbers of passes over the training images.</summary>
    public IReadOnlyList<int>? Epochs { get; init; }

    /// <summary>Widths of a residual network.</summary>
    public IReadOnlyList<int>? Width { get; init; }

    /// <summary>Shares of hidden units that an `mlp` drops.</summary>
    public IReadOnlyList<double>? Dropout { get; init; }

    /// <summary>Distributions of the first weights.</summary>
    public IReadOnlyList<InitializationName>? Initialization { get; init; }

    /// <summary>Numbers of images per optimizer step.</summary>
    public IReadOnlyList<int>? BatchSize { get; init; }

    /// <summary>Optimizers.</summary>
    public IReadOnlyList<OptimizerName>? Optimizer { get; init; }

    /// <summary>L2 penalties.</summary>
    public IReadOnlyList<double>? WeightDecay { get; init; }

    /// <summary>Schedules of the learning rate.</summary>
    public IReadOnlyList<ScheduleName>? Schedule { get; init; }

    /// <summary>Numbers of epochs over which the learning rate rises.</summary>
    public IReadOnlyList<int>? WarmupEpochs { get; init; }

    /// <summary>Largest norms of the gradients; null among them is no limit.</summary>
    public IReadOnlyList<double?>? GradientClip { get; init; }

    /// <summary>Augmentations.</summary>
    public IReadOnlyList<AugmentationName>? Augmentation { get; init; }

    /// <summary>Shares of the training images that are kept out of training.</summary>
    public IReadOnlyList<double>? ValidationFraction { get; init; }

    /// <summary>Devices.</summary>
    public IReadOnlyList<DeviceName>? Device { get; init; }

    /// <summary>The names of the fields in JSON.</summary>
    public static IReadOnlyList<string> Fields { get; } = [.. Properties.Select(property => property.Name)];

    /// <summary>The values of a field; null when the grid does not have it.</summary>
    public IReadOnlyList<object?>? ValuesOf(string field) => ValuesOf(Properties.Single(property => property.Name == field));

    /// <summary>The fields that have more than one value.</summary>
    public IEnumerable<string> Varied() => Fields.Where(name => ValuesOf(name) is { Count: > 1 });

    /// <summary>The grid without the fields of which <paramref name="leftOut"/> is true.</summary>
    public StudyGrid Without(Func<string, bool> leftOut)
    {
        var rest = this with { };
        foreach (var property in Properties.Where(property => leftOut(property.Name)))
            property.Set!(rest, null);
        return rest;
    }

    /// <summary>The number of combinations with one loss; that of larger grids is <see cref="int.MaxValue"/>.</summary>
    internal long CountOf(LossName loss, GammaScheduleName schedule)
    {
        // Without a constant schedule, γ does not vary.
        var schedules = loss == LossName.Focal ? GammaSchedule ?? [schedule] : [GammaScheduleName.Constant];
        return schedules.Sum(one =>
            Properties
                .Where(property => !LossSettings.Choosing.Contains(property.Name) && LossSettings.Has(loss, one, property.Name))
                .Aggregate(1L, (count, property) => Math.Min(count * (ValuesOf(property)?.Count ?? 1), int.MaxValue))
        );
    }

    /// <summary>Every combination of values; the last field varies fastest. A setting of another loss is left out.</summary>
    /// <param name="job">Has the loss when the grid has none.</param>
    internal IEnumerable<ArmSettings> Combinations(JobSpec job)
    {
        IEnumerable<ArmSettings> combinations = [ArmSettings.None];
        foreach (var property in Properties)
            if (ValuesOf(property) is { } values)
                combinations = combinations.SelectMany(one =>
                    one.On(job) is var spec && LossSettings.Has(spec.Loss, spec.GammaSchedule, property.Name)
                        ? values.Select(value => one.With(property.Name, value))
                        : [one]
                );
        return combinations;
    }

    private IReadOnlyList<object?>? ValuesOf(JsonPropertyInfo property) =>
        property.Get!(this) is IEnumerable values ? [.. values.Cast<object?>()] : null;
}
