using System.Collections;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Domain.Studies;

/// <summary>
/// Values to compare of fields of the job spec that have no list of their own in a study. Each property replaces the field of the
/// same name; that of `job` counts when it is absent. The grid has every number and every enumeration that changes what is trained.
/// </summary>
public sealed record StudyGrid
{
    private static readonly JsonPropertyInfo[] Properties = [.. Json.Options.GetTypeInfo(typeof(StudyGrid)).Properties];

    /// <summary>Numbers of passes over the training images.</summary>
    public IReadOnlyList<int>? Epochs { get; init; }

    /// <summary>Widths of a residual network.</summary>
    public IReadOnlyList<int>? Width { get; init; }

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

    /// <summary>The number of combinations of values; that of larger grids is <see cref="int.MaxValue"/>.</summary>
    internal long Count => Properties.Aggregate(1L, (count, property) => Math.Min(count * (ValuesOf(property)?.Count ?? 1), int.MaxValue));

    /// <summary>Every combination of values; the last field varies fastest.</summary>
    internal IEnumerable<ArmSettings> Combinations()
    {
        IEnumerable<IReadOnlyList<KeyValuePair<string, JsonNode?>>> combinations =
        [
            [],
        ];
        foreach (var property in Properties)
            if (ValuesOf(property) is { } values)
                combinations = combinations.SelectMany(
                    one => values,
                    (one, value) =>
                        (IReadOnlyList<KeyValuePair<string, JsonNode?>>)
                            [.. one, new(property.Name, JsonSerializer.SerializeToNode(value, Json.Options))]
                );
        return combinations.Select(fields => new ArmSettings(new JsonObject(fields.Select(Copied)).ToJsonString()));

        static KeyValuePair<string, JsonNode?> Copied(KeyValuePair<string, JsonNode?> field) => new(field.Key, field.Value?.DeepClone());
    }

    private IReadOnlyList<object?>? ValuesOf(JsonPropertyInfo property) =>
        property.Get!(this) is IEnumerable values ? [.. values.Cast<object?>()] : null;
}
