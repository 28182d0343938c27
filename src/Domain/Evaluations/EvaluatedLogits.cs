using Temper.Domain.Calibration;

namespace Temper.Domain.Evaluations;

/// <summary>The outputs of a model that was trained elsewhere, with labels.</summary>
/// <param name="Test">The images to evaluate the model on.</param>
/// <param name="Validation">The images to fit a temperature on; null when there are none.</param>
/// <param name="TrueProbabilities">True probability of the predicted class for each test image, N; null when unknown.</param>
public sealed record EvaluatedLogits(LabelledLogits Test, LabelledLogits? Validation, double[]? TrueProbabilities);

/// <summary>What the file of an evaluation has for each image.</summary>
public enum OutputKind
{
    /// <summary>Logits, as they come before the softmax.</summary>
    Logits,

    /// <summary>Probabilities, whose logarithms are kept as logits.</summary>
    Probabilities,
}
