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

    /// <summary>Fits T by Newton's method on β = 1/T, in which the loss is convex, within a shrinking bracket.</summary>
    /// <param name="validation">Images that are used neither to train nor to evaluate the model.</param>
    public static TemperatureFit On(LabelledLogits validation)
    {
        var (beta, note) = Minimise(validation);
        double before = Nll(validation, 1).Value,
            after = Nll(validation, beta).Value;
        // At the end of the search both values may be equal up to rounding.
        return after <= before ? new(1 / beta, before, after, note) : new(1, before, before, note);
    }

    private static (double Beta, string? Note) Minimise(LabelledLogits logits)
    {
        double low = 1 / Largest,
            high = 1 / Smallest,
            beta = 1;
        var (atLow, atHigh) = (Nll(logits, low), Nll(logits, high));
        if (AreFlat(logits))
            return (1, "Each image's logits are all equal: no temperature changes anything.");
        if (AreAllRight(logits))
            return AllRight(logits, high);
        if (atHigh.Slope <= 0)
            return (high, $"The minimum lies below T = {Smallest}, the least allowed: the logits are close together.");
        if (atLow.Slope >= 0)
            return (
                low,
                Nll(logits, 0).Slope >= 0
                    ? "The loss falls all the way to infinite T, for the logits say nothing of the labels, or the contrary: "
                        + $"{Largest} is the largest allowed."
                    : $"The minimum lies above T = {Largest}, the largest allowed: the logits are far apart."
            );

        for (var step = 0; step < MostSteps; step++)
        {
            var (_, slope, curvature) = Nll(logits, beta);
            if (slope > 0)
                high = beta;
            else
                low = beta;
            var next = beta - slope / curvature;
            if (Math.Abs(next - beta) <= 1e-10 * beta)
                return (beta, null);
            beta = next > low && next < high ? next : Math.Sqrt(low * high);
        }
        return (beta, null);
    }

    private static (double Beta, string Note) AllRight(LabelledLogits logits, double largest)
    {
        const string Why = "Every validation image is right, so the loss falls all the way to T = 0";
        if (Doubt(logits, 1) <= ExpectedMistakes)
            return (1, $"{Why}; the model as trained expects less than half a mistake among them already, and T stays 1.");
        if (Doubt(logits, largest) > ExpectedMistakes)
            return (largest, $"{Why}: {Smallest} is the least allowed.");
        double low = 1,
            high = largest;
        for (var step = 0; step < MostSteps && high - low > 1e-12 * high; step++)
        {
            var middle = Math.Sqrt(low * high);
            if (Doubt(logits, middle) > ExpectedMistakes)
                low = middle;
            else
                high = middle;
        }
        return (high, $"{Why}: T is where the model expects half a mistake among them, which is as far as they can tell.");
    }

    private static bool AreAllRight(LabelledLogits logits)
    {
        for (var i = 0; i < logits.Count; i++)
            if (logits.Row(i)[logits.Labels[i]] < HighestOf(logits.Row(i)))
                return false;
        return true;
    }

    /// <summary>
    /// Σ over images of the probability of all classes except those with the largest logit: the mistakes that the model expects.
    /// It tends to 0 as T → 0.
    /// </summary>
    private static double Doubt(LabelledLogits logits, double beta)
    {
        var doubt = 0.0;
        for (var i = 0; i < logits.Count; i++)
        {
            double top = 0,
                rest = 0,
                largest = HighestOf(logits.Row(i));
            foreach (var z in logits.Row(i))
            {
                if (z == largest)
                    top++;
                else
                    rest += Math.Exp(beta * (z - largest));
            }
            doubt += rest / (top + rest);
        }
        return doubt;
    }

    private static bool AreFlat(LabelledLogits logits)
    {
        for (var i = 0; i < logits.Count; i++)
            if (logits.Row(i).IndexOfAnyExcept(logits.Row(i)[0]) >= 0)
                return false;
        return true;
    }

    /// <summary>Mean over images of ln Σ_k exp(β z_k) − β z_label, and its first two derivatives in β.</summary>
    private static (double Value, double Slope, double Curvature) Nll(LabelledLogits logits, double beta)
    {
        double value = 0,
            slope = 0,
            curvature = 0;
        for (var i = 0; i < logits.Count; i++)
        {
            var row = logits.Row(i);
            double largest = HighestOf(row),
                sum = 0,
                first = 0,
                second = 0;
            foreach (var z in row)
            {
                var below = z - largest;
                var weight = Math.Exp(beta * below);
                sum += weight;
                first += weight * below;
                second += weight * below * below;
            }
            var (mean, label) = (first / sum, row[logits.Labels[i]] - largest);
            value += Math.Log(sum) - beta * label;
            slope += mean - label;
            curvature += second / sum - mean * mean;
        }
        return (value / logits.Count, slope / logits.Count, curvature / logits.Count);
    }

    private static float HighestOf(ReadOnlySpan<float> logits)
    {
        var highest = logits[0];
        foreach (var z in logits)
            highest = Math.Max(highest, z);
        return highest;
    }
}
