namespace Temper.Domain.Calibration.Calibrators;

/// <summary>The calibrators, from the simplest to the most flexible: the order in which one is preferred to the next.</summary>
public enum CalibratorName
{
    /// <summary>The model as trained: no parameter.</summary>
    None,

    /// <summary>Temperature scaling: 1 parameter. It keeps the predicted classes.</summary>
    Temperature,

    /// <summary>Temperature scaling with a bias for each class: K + 1 parameters.</summary>
    BiasCorrectedTemperature,

    /// <summary>Vector scaling, a factor and a bias for each class: 2K parameters.</summary>
    Vector,

    /// <summary>Structured matrix scaling: K² + K parameters, most of them held near 0.</summary>
    StructuredMatrix,

    /// <summary>Histogram binning of each class: 15 bins each.</summary>
    Histogram,

    /// <summary>Isotonic regression of each class: as many steps as the data ask for.</summary>
    Isotonic,
}

/// <summary>A map from logits to calibrated probabilities, softmax(scores), fitted on some images. It never changes.</summary>
public abstract class Calibrator
{
    private protected Calibrator(CalibratorName name) => Name = name;

    public CalibratorName Name { get; }

    /// <summary>About how much memory it takes, in bytes.</summary>
    public abstract long Bytes { get; }

    /// <param name="logits">K, of one image.</param>
    /// <param name="scores">K, to write to.</param>
    protected abstract void Score(ReadOnlySpan<float> logits, Span<double> scores);

    /// <param name="logits">N×K.</param>
    /// <param name="classes">K.</param>
    /// <returns>The calibrated probabilities, N×K.</returns>
    public double[] Probabilities(ReadOnlySpan<float> logits, int classes)
    {
        var probabilities = new double[logits.Length];
        for (var start = 0; start < logits.Length; start += classes)
        {
            var row = probabilities.AsSpan(start, classes);
            Score(logits.Slice(start, classes), row);
            Softmax(row, 0);
        }
        return probabilities;
    }

    /// <summary>−ln of the probability of each label, nats.</summary>
    public double[] Losses(LabelledLogits images)
    {
        var (losses, scores) = (new double[images.Count], new double[images.Classes]);
        for (var i = 0; i < losses.Length; i++)
        {
            Score(images.Row(i), scores);
            losses[i] = Softmax(scores, images.Labels[i]);
        }
        return losses;
    }

    /// <summary>Fits a calibrator.</summary>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks at each step of a fit.</exception>
    internal static Calibrator Fit(CalibratorName name, LabelledLogits images, double temperature, CancellationToken cancellation) =>
        name switch
        {
            CalibratorName.None => TemperatureScaling.None,
            CalibratorName.Temperature => new TemperatureScaling(temperature),
            CalibratorName.Histogram or CalibratorName.Isotonic => new OneAgainstAll(name, images, cancellation),
            _ => new AffineScaling(name, images, temperature, cancellation),
        };

    /// <summary>Replaces K scores by their softmax.</summary>
    /// <returns>−ln of the label's probability, also where that probability underflows to 0.</returns>
    private protected static double Softmax(Span<double> scores, int label)
    {
        var largest = scores[0];
        foreach (var score in scores)
            largest = Math.Max(largest, score);
        var below = scores[label] - largest;
        var sum = VectorLoops.Exponentials(scores, largest);
        VectorLoops.Divide(scores, sum);
        return Math.Log(sum) - below;
    }
}
