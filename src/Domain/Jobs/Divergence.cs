using System.Globalization;

namespace Temper.Domain.Jobs;

/// <summary>
/// A training whose loss stops being finite fails. One that ends with finite numbers may have diverged all the same: this tells it
/// from the result.
/// </summary>
public static class Divergence
{
    /// <summary>Times ln K, the loss of a model that gives every class the same probability.</summary>
    private const double LargestLoss = 10;

    /// <param name="classes">K.</param>
    /// <returns>A sentence for people; null where nothing points to a divergence.</returns>
    public static string? NoteOn(JobResult result, int classes) => NoteOn(result.TestAccuracy, result.TestLoss, classes);

    /// <param name="testAccuracy">[0, 1].</param>
    /// <param name="testLoss">Mean negative log-likelihood, nats.</param>
    /// <param name="classes">K.</param>
    /// <returns>A sentence for people; null where nothing points to a divergence.</returns>
    public static string? NoteOn(double testAccuracy, double testLoss, int classes)
    {
        var (guess, chance) = (Math.Log(classes), 1.0 / classes);
        if (testLoss > LargestLoss * guess)
            return string.Create(
                CultureInfo.InvariantCulture,
                $"The training diverged: the test loss is {testLoss:G3}, and a model that only guesses has {guess:0.00}. A smaller "
                    + $"learningRate usually helps."
            );
        if (testAccuracy < chance)
            return string.Create(
                CultureInfo.InvariantCulture,
                $"The test accuracy of {testAccuracy:G3} is below chance, {chance:G3}: the training may have diverged, or its labels "
                    + $"are wrong."
            );
        return null;
    }
}
