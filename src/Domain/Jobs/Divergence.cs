using System.Globalization;
using Temper.Domain.Calibration;

namespace Temper.Domain.Jobs;

/// <summary>
/// Detects divergence from the result of a training. A training fails when its loss is not finite, but a training that ends with
/// finite numbers may have diverged too.
/// </summary>
public static class Divergence
{
    /// <summary>The first words of the failure reason of a job whose loss was not finite.</summary>
    public const string Reason = "Training diverged";

    /// <summary>In units of ln K, the loss of a model that gives every class the same probability.</summary>
    private const double LargestLoss = 10;

    /// <param name="loss">Mean negative log-likelihood, nats.</param>
    /// <param name="classes">K.</param>
    public static bool HasHugeLoss(double loss, int classes) => !(loss <= LargestLoss * Math.Log(classes));

    /// <summary>
    /// Whether an accuracy is significantly below 1/K. If label noise makes another class as likely as the true one, a low
    /// accuracy does not indicate divergence, and the result is false.
    /// </summary>
    /// <param name="accuracy">[0, 1].</param>
    /// <param name="images">Number of images that it was measured on.</param>
    public static bool IsWorseThanChance(double accuracy, int images, int classes, double labelNoise) =>
        IsLearnable(labelNoise, classes) && Interval.Wilson(accuracy * images, images).High < 1.0 / classes;

    /// <summary>Whether an accuracy is not significantly above 1/K; false under so much label noise.</summary>
    /// <inheritdoc cref="IsWorseThanChance"/>
    public static bool IsNoBetterThanChance(double accuracy, int images, int classes, double labelNoise) =>
        IsLearnable(labelNoise, classes) && Interval.Wilson(accuracy * images, images).Low <= 1.0 / classes;

    /// <summary>Whether the true class is the most likely one among noisy labels.</summary>
    private static bool IsLearnable(double labelNoise, int classes) => labelNoise < (classes - 1.0) / classes;

    /// <param name="testAccuracy">[0, 1].</param>
    /// <param name="testLoss">Mean negative log-likelihood, nats.</param>
    /// <param name="images">Number of images in the test set.</param>
    /// <param name="classes">K.</param>
    /// <returns>A sentence for the user; null without a sign of divergence.</returns>
    public static string? NoteOn(double testAccuracy, double testLoss, int images, int classes, double labelNoise)
    {
        if (HasHugeLoss(testLoss, classes))
            return string.Create(
                CultureInfo.InvariantCulture,
                $"The training diverged: the test loss is {testLoss:G3}, and a model that only guesses has {Math.Log(classes):0.00}. "
                    + $"A smaller learningRate usually helps."
            );
        if (IsWorseThanChance(testAccuracy, images, classes, labelNoise))
            return string.Create(
                CultureInfo.InvariantCulture,
                $"The test accuracy of {testAccuracy:G3} is below chance, {1.0 / classes:G3}: the training may have diverged, or its "
                    + $"labels are wrong."
            );
        return null;
    }
}
