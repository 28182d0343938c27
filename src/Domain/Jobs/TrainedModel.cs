using System.Runtime.InteropServices;
using Temper.Domain.Calibration;

namespace Temper.Domain.Jobs;

/// <summary>The model of a training with what a later evaluation of any kind, or its use elsewhere, needs.</summary>
/// <param name="Weights">safetensors with one tensor per parameter, named as in the model.</param>
/// <param name="Logits">Null when they were too large to keep.</param>
/// <param name="Scores">The figures by which studies compare models; null when there was only one validation image.</param>
public sealed record TrainedModel(byte[] Weights, StoredLogits? Logits, Scores? Scores = null)
{
    /// <summary>
    /// The figures for each of <see cref="Datasets.Corruption.All"/>; empty when they were not asked for or there are no scores.
    /// </summary>
    public IReadOnlyList<CorruptionScores> Corruptions { get; init; } = [];
}

/// <summary>
/// The logits of the validation split and the test set with their labels, as bytes: float32 and int32, little-endian.
/// </summary>
/// <param name="Classes">K.</param>
/// <param name="ValidationLogits">N×K, N the number of validation images.</param>
/// <param name="ValidationLabels">N.</param>
/// <param name="TestLogits">N×K, N the number of test images.</param>
/// <param name="TestLabels">N.</param>
/// <param name="TrueProbabilities">True probability of the predicted class for each test image, N float64; null when the data set
/// does not know it.</param>
public sealed record StoredLogits(
    int Classes,
    byte[] ValidationLogits,
    byte[] ValidationLabels,
    byte[] TestLogits,
    byte[] TestLabels,
    byte[]? TrueProbabilities
)
{
    /// <summary>64 MiB for both splits together, for example 1,000 classes on 16,000 images.</summary>
    public const long LargestBytes = 64L << 20;

    /// <returns>Null when the logits of both splits exceed <see cref="LargestBytes"/>.</returns>
    public static StoredLogits? Of(LabelledLogits validation, LabelledLogits test, double[]? trueProbabilities) =>
        4L * (validation.Logits.Length + test.Logits.Length) > LargestBytes
            ? null
            : new(
                test.Classes,
                Bytes(validation.Logits),
                Bytes(validation.Labels),
                Bytes(test.Logits),
                Bytes(test.Labels),
                trueProbabilities is null ? null : Bytes(trueProbabilities)
            );

    public LabelledLogits Validation() => new(Values<float>(ValidationLogits), Values<int>(ValidationLabels), Classes);

    public LabelledLogits Test() => new(Values<float>(TestLogits), Values<int>(TestLabels), Classes);

    public double[]? TestTrueProbabilities() => TrueProbabilities is null ? null : Values<double>(TrueProbabilities);

    private static byte[] Bytes<T>(T[] values)
        where T : struct => MemoryMarshal.AsBytes<T>(values).ToArray();

    private static T[] Values<T>(byte[] bytes)
        where T : struct => MemoryMarshal.Cast<byte, T>(bytes).ToArray();
}
