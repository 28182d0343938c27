namespace Temper.Domain.Calibration;

/// <summary>
/// The temperature T that minimises the negative log-likelihood of softmax(logits / T). If the model classifies every image
/// correctly, the minimum lies at T = 0, which N images cannot distinguish from a small T. T is then the value at which the model
/// expects half a mistake among the N images.
/// </summary>
/// <param name="Temperature">T, 0.01 to 100. Above 1 the model was over-confident, below 1 under-confident.</param>
/// <param name="NllBefore">Mean negative log-likelihood at T = 1, nats.</param>
/// <param name="NllAfter">Mean negative log-likelihood at T, nats; never above <paramref name="NllBefore"/>.</param>
/// <param name="Note">Why T is at a bound or has no meaning; null for an ordinary minimum.</param>
/// <remarks>
/// Guo et al. 2017, arXiv:1706.04599, §4.2. Jeffreys' prior turns no mistake in N images into half a mistake. If an image is
/// misclassified, the expectation never falls to half a mistake: the probability that this image's label is wrong is alone at
/// least one half at every T.
/// </remarks>
public sealed record TemperatureFit(double Temperature, double NllBefore, double NllAfter, string? Note)
{
    public const double Smallest = 0.01,
        Largest = 100;

    /// <summary>Mistakes that the model should expect among validation images that it classifies all correctly.</summary>
    private const double ExpectedMistakes = 0.5;

    private const int MostSteps = 100;

    private const int ManyImages = 4096;

    /// <summary>A step of Newton's method that is smaller, relative to β, is the last.</summary>
    private const double SmallChange = 1e-6;

    /// <summary>Fits T by Newton's method on β = 1/T, in which the loss is convex, within a shrinking bracket.</summary>
    /// <param name="validation">Images that are used neither to train nor to evaluate the model.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks while it sums over the images.</exception>
    public static TemperatureFit On(LabelledLogits validation, CancellationToken cancellation = default)
    {
        // A step on all of many images takes long; some of them tell where to begin.
        var start = validation.Count < ManyImages ? 1 : On(validation.Every(16), cancellation).Temperature;
        return On(new(new(validation, new byte[validation.Count], 1, cancellation)), start);
    }

    /// <summary>Fits T on all images except those of a fold, for each fold.</summary>
    /// <param name="folds">The fold of each image.</param>
    /// <param name="count">The number of folds.</param>
    /// <param name="start">A temperature near the minima.</param>
    internal static double[] WithoutEach(LabelledLogits all, byte[] folds, int count, double start, CancellationToken cancellation)
    {
        var losses = new FoldLosses(all, folds, count, cancellation);
        return [.. Enumerable.Range(0, count).Select(fold => On(new(losses, fold), start).Temperature)];
    }

    private static TemperatureFit On(FittedImages images, double start)
    {
        var (beta, after, note) = Minimise(images, 1 / start);
        var before = images.Nll(1).Value;
        // At the end of the search both values may be equal up to rounding.
        return after <= before ? new(1 / beta, before, after, note) : new(1, before, before, note);
    }

    private static (double Beta, double Nll, string? Note) Minimise(FittedImages images, double start)
    {
        double low = 1 / Largest,
            high = 1 / Smallest,
            beta = start;
        if (images.AreFlat())
            return At(1, "Each image's logits are all equal: no temperature changes anything.");
        if (images.AreAllRight())
            return AllRight();
        for (var step = 0; step < MostSteps; step++)
        {
            var (value, slope, curvature) = images.Nll(beta);
            var change = -slope / curvature;
            // Over so small a change the loss is a parabola up to rounding, so it need not be computed again.
            if (Math.Abs(change) <= SmallChange * beta)
                return (Math.Clamp(beta + change, low, high), value + change * slope / 2, null);
            if (!(beta + change < 1 / Smallest) && images.Nll(1 / Smallest).Slope <= 0)
                return At(1 / Smallest, $"The minimum lies below T = {Smallest}, the least allowed: the logits are close together.");
            if (!(beta + change > 1 / Largest) && images.Nll(1 / Largest).Slope >= 0)
                return At(
                    1 / Largest,
                    images.Nll(0).Slope >= 0
                        ? "The loss falls all the way to infinite T, for the logits say nothing of the labels, or the contrary: "
                            + $"{Largest} is the largest allowed."
                        : $"The minimum lies above T = {Largest}, the largest allowed: the logits are far apart."
                );
            if (slope > 0)
                high = beta;
            else
                low = beta;
            beta = Within(beta + change);
        }
        return At(beta, null);

        (double, double, string?) AllRight()
        {
            const string Why = "Every validation image is right, so the loss falls all the way to T = 0";
            if (images.Doubt(1).Value <= ExpectedMistakes)
                return At(1, $"{Why}; the model as trained expects less than half a mistake among them already, and T stays 1.");
            if (images.Doubt(high).Value > ExpectedMistakes)
                return At(high, $"{Why}: {Smallest} is the least allowed.");
            (low, beta) = (1, Math.Max(1, start));
            for (var step = 0; step < MostSteps; step++)
            {
                // Newton's method on the doubt's logarithm, which falls almost in a straight line.
                var (doubt, slope) = images.Doubt(beta);
                var change = -Math.Log(doubt / ExpectedMistakes) * doubt / slope;
                if (doubt > ExpectedMistakes)
                    low = beta;
                else
                    high = beta;
                var next = Within(beta + change);
                if (Math.Abs(next - beta) <= 1e-12 * beta)
                    break;
                beta = next;
            }
            return At(beta, $"{Why}: T is where the model expects half a mistake among them, which is as far as they can tell.");
        }

        double Within(double next) => next > low && next < high ? next : Math.Sqrt(low * high);

        (double, double, string?) At(double at, string? note) => (at, images.Nll(at).Value, note);
    }
}
