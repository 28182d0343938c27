using System.Runtime.CompilerServices;

namespace Temper.Domain.Calibration;

/// <summary>
/// The probabilities from logits at one temperature, and the losses of each prediction. All are computed in float64: a float32
/// softmax saturates at 1 on confident models and moves predictions across bins.
/// </summary>
public sealed class Predictions
{
    private readonly LabelledLogits source;
    private readonly Func<int, double> temperature;

    private Predictions(LabelledLogits source, Func<int, double> temperature, CancellationToken cancellation)
    {
        (this.source, this.temperature) = (source, temperature);
        (Confidences, Hits) = (new double[Count], new double[Count]);
        (LogLosses, BrierScores) = (new double[Count], new double[Count]);
        Pieces.ForEach(
            Count,
            cancellation,
            (_, start, end) =>
            {
                var probabilities = new double[Classes];
                for (var i = start; i < end; i++)
                    Fill(i, probabilities);
            }
        );
    }

    public int Count => source.Count;

    public int Classes => source.Classes;

    public int[] Labels => source.Labels;

    /// <inheritdoc cref="LabelledLogits.Predicted"/>
    public int[] Predicted => source.Predicted;

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
    public static Predictions Of(LabelledLogits source, double temperature = 1, CancellationToken cancellation = default)
    {
        if (!(temperature > 0))
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "Must be above 0.");
        return Of(source, _ => temperature, cancellation);
    }

    /// <param name="temperature">T of each image, above 0.</param>
    internal static Predictions Of(LabelledLogits source, Func<int, double> temperature, CancellationToken cancellation) =>
        new(source, temperature, cancellation);

    /// <summary>
    /// Computes softmax(logits / T) of an image. The probabilities of all images would be twice as large as their logits, so they are
    /// not kept.
    /// </summary>
    /// <param name="probabilities">K, to write to.</param>
    public void Softmax(int image, Span<double> probabilities) => VectorLoops.Divide(probabilities, Exponentials(image, probabilities));

    private double Exponentials(int image, Span<double> into) =>
        VectorLoops.Exponentials(source.Row(image), source.Row(image)[Predicted[image]], 1 / temperature(image), into);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Fill(int i, Span<double> probabilities)
    {
        var (top, label) = (Predicted[i], Labels[i]);
        var logits = source.Row(i);
        var sum = Exponentials(i, probabilities);
        VectorLoops.Divide(probabilities, sum);
        Confidences[i] = probabilities[top];
        Hits[i] = top == label ? 1 : 0;
        // This is not computed as −ln p, because p underflows to 0 when the loss is large but finite.
        LogLosses[i] = Math.Log(sum) - ((double)logits[label] - logits[top]) / temperature(i);
        probabilities[label] -= 1;
        BrierScores[i] = VectorLoops.Dot(probabilities, probabilities);
    }
}
