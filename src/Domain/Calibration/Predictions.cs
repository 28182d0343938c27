namespace Temper.Domain.Calibration;

/// <summary>
/// The probabilities from logits at one temperature, and the losses of each prediction. All are computed in float64: a float32
/// softmax saturates at 1 on confident models and moves predictions across bins.
/// </summary>
public sealed class Predictions
{
    private Predictions(LabelledLogits source)
    {
        (Count, Classes, Labels) = (source.Count, source.Classes, source.Labels);
        Probabilities = new double[source.Logits.Length];
        (Predicted, Confidences, Hits) = (new int[Count], new double[Count], new double[Count]);
        (LogLosses, BrierScores) = (new double[Count], new double[Count]);
    }

    public int Count { get; }

    public int Classes { get; }

    public int[] Labels { get; }

    /// <summary>softmax(logits / T), N×K, row-major.</summary>
    public double[] Probabilities { get; }

    /// <summary>The class of the largest logit; of equal logits, the first class.</summary>
    public int[] Predicted { get; }

    /// <summary>The probability of the predicted class, in [1/K, 1].</summary>
    public double[] Confidences { get; }

    /// <summary>1 if the predicted class is the label, otherwise 0.</summary>
    public double[] Hits { get; }

    /// <summary>−ln of the label's probability, nats.</summary>
    public double[] LogLosses { get; }

    /// <summary>Σ_k (p_k − [k is the label])², 0 to 2; Brier 1950.</summary>
    public double[] BrierScores { get; }

    public double Accuracy => Hits.Average();

    public double Nll => LogLosses.Average();

    public double Brier => BrierScores.Average();

    /// <summary>Mean confidence − accuracy: positive is over-confident, negative under-confident.</summary>
    public double SignedGap => Confidences.Average() - Accuracy;

    /// <param name="temperature">T above 0, by which the logits are divided.</param>
    /// <exception cref="ArgumentOutOfRangeException">T is not above 0.</exception>
    public static Predictions Of(LabelledLogits source, double temperature = 1)
    {
        if (!(temperature > 0))
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "Must be above 0.");
        return Of(source, _ => temperature);
    }

    /// <param name="temperature">T of each image, above 0.</param>
    internal static Predictions Of(LabelledLogits source, Func<int, double> temperature)
    {
        var predictions = new Predictions(source);
        for (var i = 0; i < source.Count; i++)
            predictions.Fill(i, source.Row(i), temperature(i));
        return predictions;
    }

    private void Fill(int i, ReadOnlySpan<float> logits, double temperature)
    {
        var (top, label) = (LabelledLogits.IndexOfLargest(logits), Labels[i]);
        var probabilities = Probabilities.AsSpan(i * Classes, Classes);
        var sum = 0.0;
        for (var k = 0; k < Classes; k++)
            sum += probabilities[k] = Math.Exp(((double)logits[k] - logits[top]) / temperature);
        for (var k = 0; k < Classes; k++)
            probabilities[k] /= sum;

        Predicted[i] = top;
        Confidences[i] = probabilities[top];
        Hits[i] = top == label ? 1 : 0;
        // This is not computed as −ln p, because p underflows to 0 when the loss is large but finite.
        LogLosses[i] = Math.Log(sum) - ((double)logits[label] - logits[top]) / temperature;
        var brier = 0.0;
        for (var k = 0; k < Classes; k++)
            brier += Square(probabilities[k] - (k == label ? 1 : 0));
        BrierScores[i] = brier;
    }

    private static double Square(double x) => x * x;
}
