using System.Globalization;
using Temper.Domain.Datasets;
using Temper.Domain.Notifications;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Jobs;

/// <summary>The rule for one field of a job spec. Checks, messages and API documentation all use it.</summary>
/// <param name="Field">The field's name in JSON.</param>
/// <param name="Allowed">Completes the sentence "must be …".</param>
/// <param name="Holds">Whether a spec satisfies the rule.</param>
public sealed record JobSpecRule(string Field, string Allowed, Func<JobSpec, bool> Holds)
{
    /// <summary>JavaScript clients would round whole numbers above 2⁵³.</summary>
    internal const long LargestSeed = (1L << 53) - 1;

    /// <summary>
    /// At this width resnet56 has 31 million parameters. Model and checkpoint are each sent and stored in one piece.
    /// </summary>
    public const int LargestWidth = 96;

    /// <summary>
    /// Images per batch · width. At this limit resnet56 needs about 8 GB for its activations, and two cores take 10 to 40 s for
    /// a step.
    /// </summary>
    private const long LargestStep = 32_768;

    /// <summary>Four layers of this size on 32×32 images in colour have 19 million parameters.</summary>
    private const int LargestHidden = 2048;

    /// <summary>As many as a `cnn` has on the largest images. Adam's checkpoint is three times as large.</summary>
    private const long MostWeights = 40_000_000;

    /// <summary>Pixels of a batch, without channels: the largest batch of 32×32 images. It bounds the memory of a step.</summary>
    private const long LargestBatch = 8192L * 32 * 32;

    /// <summary>What LeNet-5's convolutions and poolings reduce to one pixel.</summary>
    private const int SmallestLeNet = 16;

    /// <summary>
    /// Largest mean number of UTF-16 units per character. It admits any script and emoji of several parts, but not text made of
    /// stacked combining marks.
    /// </summary>
    private const int LongestCharacter = 16;

    public static IReadOnlyList<JobSpecRule> All { get; } =
    [
        new(
            "dataset",
            $"one of {string.Join(", ", DatasetCatalog.All.Select(card => card.Name))}; or an uploaded one, such as birds or birds@3; "
                + $"or {DrawnDigits.Allowed}",
            s => s.DatasetCard() is not null
        ),
        new("epsilon", "a number from 0 to 1", s => s.Epsilon is >= 0 and <= 1),
        new(
            "epsilon",
            "at most (K−1)/K with smoothing others, 0.9 for 10 classes: beyond it the true class is no longer the likeliest",
            EpsilonFitsConvention
        ),
        new(
            "epsilon",
            "0 with a loss other than crossEntropy and maxSuppression, which alone have an ε",
            s => s.Epsilon == 0 || !Enum.IsDefined(s.Loss) || TrainingLoss.TakesEpsilon(s.Loss)
        ),
        new("loss", OneOf<LossName>(), s => Enum.IsDefined(s.Loss)),
        new(
            "gamma",
            "null, or with loss focal and gammaSchedule constant a number above 0, at most 10",
            s => s.Gamma is null || (Has(s, "gamma") && s.Gamma is > 0 and <= 10)
        ),
        new("gammaSchedule", OneOf<GammaScheduleName>(), s => Enum.IsDefined(s.GammaSchedule)),
        new(
            "gammaSchedule",
            "constant with a loss other than focal",
            s => s.GammaSchedule == GammaScheduleName.Constant || Has(s, "gammaSchedule")
        ),
        new(
            "beta",
            "null, or with loss confidencePenalty a number above 0, at most 10",
            s => s.Beta is null || (Has(s, "beta") && s.Beta is > 0 and <= 10)
        ),
        new(
            "margin",
            "null, or with loss marginSmoothing a number from 0 to 1000",
            s => s.Margin is null || (Has(s, "margin") && s.Margin is >= 0 and <= 1000)
        ),
        new(
            "weight",
            "null, or with loss marginSmoothing a number above 0, at most 10",
            s => s.Weight is null || (Has(s, "weight") && s.Weight is > 0 and <= 10)
        ),
        new("mixup", "0, or a number from 0.001 to 2", s => s.Mixup is 0 or (>= 0.001 and <= 2)),
        new("epochs", "a whole number from 1 to 10000", s => s.Epochs is >= 1 and <= 10_000),
        new("recipe", $"null or one of {string.Join(", ", Recipes.Names)}", s => s.Recipe is null || Recipes.Find(s.Recipe) is not null),
        new("smoothing", OneOf<SmoothingConvention>(), s => Enum.IsDefined(s.Smoothing)),
        new(
            "smoothing",
            "uniform with a loss other than crossEntropy, which alone has smoothed targets",
            s => s.Smoothing == SmoothingConvention.Uniform || s.Loss == LossName.CrossEntropy
        ),
        new("model", OneOf<ModelName>(), s => Enum.IsDefined(s.Model)),
        new(
            "model",
            $"another than lenet5 for images smaller than {SmallestLeNet}×{SmallestLeNet}: its convolutions and poolings leave nothing",
            s => s.Model != ModelName.Lenet5 || s.DatasetCard() is not { } card || Math.Min(card.Height, card.Width) >= SmallestLeNet
        ),
        new(
            "width",
            $"null, or with a residual network a multiple of 8 from 8 to {LargestWidth}",
            s => s.Width is null || (IsResidual(s) && s.Width is >= 8 and <= LargestWidth && s.Width % 8 == 0)
        ),
        new(
            "widths",
            $"null, or with mlp 1 to 4 whole numbers from 1 to {LargestHidden}",
            s =>
                s.Widths is null
                || (
                    s.Model == ModelName.Mlp
                    && s.Widths is { Count: >= 1 and <= 4 }
                    && s.Widths.All(width => width is >= 1 and <= LargestHidden)
                )
        ),
        new(
            "widths",
            $"few or small enough for {MostWeights} weights in all, of which the first layer has one for each of the image's values and "
                + "each of its units",
            s => s.Model != ModelName.Mlp || s.DatasetCard() is not { } card || MlpWeights(card, s.Widths ?? [1200, 1200]) <= MostWeights
        ),
        new(
            "dropout",
            "0, or with mlp a number from 0 to 0.9",
            s => s.Dropout == 0 || (s.Model == ModelName.Mlp && s.Dropout is > 0 and <= 0.9)
        ),
        new("initialization", OneOf<InitializationName>(), s => Enum.IsDefined(s.Initialization)),
        new(
            "initialization",
            "standard with a model other than mlp",
            s => s.Initialization == InitializationName.Standard || s.Model == ModelName.Mlp
        ),
        new("batchSize", "a whole number from 1 to 8192", s => s.BatchSize is >= 1 and <= 8192),
        new(
            "batchSize",
            $"at most {LargestStep} / width with a residual network, 2048 with the usual one: a step must fit a machine and not look "
                + "like a hang. Images larger than 32×32 count as several",
            s =>
                !IsResidual(s)
                || s.Width is < 1
                || s.BatchSize is < 1 or > 8192
                || s.BatchSize * (s.Width ?? 16L) * Math.Max(32 * 32, Pixels(s)) <= LargestStep * 32 * 32
        ),
        new(
            "batchSize",
            $"at most {LargestBatch} / (height · width) for images larger than 32×32: a step must fit a machine",
            s => s.BatchSize is < 1 or > 8192 || s.BatchSize * Pixels(s) <= LargestBatch
        ),
        new("optimizer", OneOf<OptimizerName>(), s => Enum.IsDefined(s.Optimizer)),
        new("learningRate", "a number above 0, at most 10", s => s.LearningRate is > 0 and <= 10),
        new("weightDecay", "a number from 0 to 1", s => s.WeightDecay is >= 0 and <= 1),
        new("schedule", OneOf<ScheduleName>(), s => Enum.IsDefined(s.Schedule)),
        new("warmupEpochs", "a whole number from 0 to epochs", s => s.WarmupEpochs >= 0 && (s.WarmupEpochs <= s.Epochs || s.Epochs < 1)),
        new("gradientClip", "null or a number above 0, at most 1000", s => s.GradientClip is null or (> 0 and <= 1000)),
        new("augmentation", OneOf<AugmentationName>(), s => Enum.IsDefined(s.Augmentation)),
        new("seed", $"a whole number from 0 to {LargestSeed}", s => s.Seed is >= 0 and <= LargestSeed),
        new("validationFraction", "a number from 0.01 to 0.5", s => s.ValidationFraction is >= 0.01 and <= 0.5),
        new(
            "validationFraction",
            $"small enough for {DatasetContent.MostOutputs} outputs: validation images · classes",
            s =>
                s.Data is not { ValidationImages: 0 } data
                || s.ValidationFraction is not (>= 0.01 and <= 0.5)
                || data.TrainImages * s.ValidationFraction * data.Classes <= DatasetContent.MostOutputs
        ),
        new("keep", OneOf<KeepName>(), s => Enum.IsDefined(s.Keep)),
        new(
            "keep",
            "last with fewer than two validation images: an epoch is chosen by at least two",
            s =>
                s.Keep == KeepName.Last
                || s.ValidationFraction is not (>= 0.01 and <= 0.5)
                || s.DatasetCard() is not { } card
                || Math.Round(card.Validated(s.ValidationFraction)) >= 2
        ),
        new("labelNoise", "a number from 0 to 1", s => s.LabelNoise is >= 0 and <= 1),
        new("corruptions", "true or false", _ => true),
        new("device", OneOf<DeviceName>(), s => Enum.IsDefined(s.Device)),
        new("priority", "a whole number from -1000 to 1000", s => s.Priority is >= -1000 and <= 1000),
        new("maxAttempts", "a whole number from 1 to 20", s => s.MaxAttempts is >= 1 and <= 20),
        new(
            "timeoutSeconds",
            "null or a whole number from 1 to 2592000 (30 days)",
            s => s.TimeoutSeconds is null or (>= 1 and <= 2_592_000)
        ),
        new("name", "null or 1 to 200 characters on one line", s => s.Name is null || IsName(s.Name)),
        new("notify", NotifyAddress.Allowed, s => s.Notify is null || NotifyAddress.Read(s.Notify) is not null),
        new(
            "tags",
            "at most 20 different tags, each 1 to 64 characters on one line",
            s => s.Tags.Count <= 20 && s.Tags.Distinct().Count() == s.Tags.Count && s.Tags.All(IsTag)
        ),
        new(
            "data",
            "null, or as the service wrote it for an uploaded data set",
            s => s.Data is null || DatasetCatalog.Find(s.Dataset) is null
        ),
    ];

    /// <summary>The rules that a spec breaks; empty when the spec can be trained.</summary>
    public static IEnumerable<JobSpecRule> BrokenBy(JobSpec spec) => All.Where(rule => !rule.Holds(spec));

    /// <summary>The first rule of a field, which states its type and range; later rules narrow it.</summary>
    public static JobSpecRule Of(string field) => All.First(rule => rule.Field == field);

    private static bool Has(JobSpec spec, string setting) => LossSettings.Has(spec.Loss, spec.GammaSchedule, setting);

    private static bool IsResidual(JobSpec spec) => spec.Model is ModelName.Resnet20 or ModelName.Resnet56;

    private static long Pixels(JobSpec spec) => spec.DatasetCard() is { } card ? (long)card.Height * card.Width : 0;

    private static long MlpWeights(DatasetCard card, IReadOnlyList<int> widths)
    {
        // Another rule refuses larger layers. Their product would not fit 64 bits.
        var units = widths.Select(width => (long)Math.Clamp(width, 0, LargestHidden));
        long[] sizes = [(long)card.Channels * card.Height * card.Width, .. units.Take(4), card.Classes];
        return sizes.Zip(sizes.Skip(1), (inputs, outputs) => inputs * outputs).Sum();
    }

    private static bool EpsilonFitsConvention(JobSpec spec) =>
        spec.Smoothing != SmoothingConvention.Others
        || spec.DatasetCard() is not { } dataset
        || spec.Epsilon > 1
        || spec.Epsilon <= LabelSmoothing.Largest(spec.Smoothing, dataset.Classes);

    /// <summary>1 to 64 characters on one line.</summary>
    public static bool IsTag(string? text) => IsLine(text, 64);

    /// <summary>1 to 200 characters on one line.</summary>
    public static bool IsName(string? text) => IsLine(text, 200);

    /// <summary>
    /// Whether a text is one line with at most <paramref name="longest"/> visible characters; an emoji or a letter with its marks
    /// counts as one. The text may be null, because a list from JSON may hold nulls despite its type.
    /// </summary>
    internal static bool IsLine(string? text, int longest) =>
        !string.IsNullOrWhiteSpace(text)
        && text.Length <= LongestCharacter * longest
        && new StringInfo(text).LengthInTextElements <= longest
        && !text.Any(BreaksLine);

    /// <summary>
    /// Control characters, separators of lines and paragraphs, and characters that change the direction of the following text.
    /// </summary>
    private static bool BreaksLine(char c) =>
        char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');

    private static string OneOf<T>()
        where T : struct, Enum =>
        $"one of {string.Join(", ", Enum.GetNames<T>().Select(name => char.ToLowerInvariant(name[0]) + name[1..]))}";
}
