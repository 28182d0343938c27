using System.Globalization;
using Temper.Domain.Calibration;

namespace Temper.Domain.Jobs;

/// <summary>
/// A training whose loss stops being finite fails. One that ends with finite numbers may have diverged all the same: this tells it
/// from the result.
/// </summary>
public static class Divergence
{
    /// <summary>How the reason of a job begins whose loss was no longer finite.</summary>
    public const string Reason = "Training diverged";

    /// <summary>Times ln K, the loss of a model that gives every class the same probability.</summary>
    private const double LargestLoss = 10;

    /// <param name="loss">Mean negative log-likelihood, nats.</param>
    /// <param name="classes">K.</param>
    public static bool HasHugeLoss(double loss, int classes) => !(loss <= LargestLoss * Math.Log(classes));

    /// <summary>
    /// Whether an accuracy is significantly below 1/K. With so much label noise that another class is as likely as the true one, a low
    /// accuracy is no sign of a divergence.
    /// </summary>
    /// <param name="accuracy">[0, 1].</param>
    /// <param name="images">That it was measured on.</param>
    public static bool IsWorseThanChance(double accuracy, int images, int classes, double labelNoise) =>
        labelNoise < (classes - 1.0) / classes && Interval.Wilson(accuracy * images, images).High < 1.0 / classes;

    /// <param name="testAccuracy">[0, 1].</param>
    /// <param name="testLoss">Mean negative log-likelihood, nats.</param>
    /// <param name="images">Of the test set.</param>
    /// <param name="classes">K.</param>
    /// <returns>A sentence for people; null where nothing points to a divergence.</returns>
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
