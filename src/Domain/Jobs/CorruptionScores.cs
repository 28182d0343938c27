using Temper.Domain.Datasets;

namespace Temper.Domain.Jobs;

/// <summary>The figures of a trained model on corrupted test images.</summary>
/// <param name="Scores">The ones after temperature use T from the validation split, whose images are not corrupted.</param>
public sealed record CorruptionScores(Corruption Corruption, SplitScores Scores);
