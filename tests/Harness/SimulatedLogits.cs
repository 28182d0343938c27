using Temper.Domain;
using Temper.Domain.Calibration;

namespace Temper.Harness;

/// <summary>
/// A classifier with known true probabilities. Images are of 64 equally likely kinds, each with its own class probabilities
/// softmax(z), and the model predicts softmax(sharpness·z). At sharpness 1 the model is perfectly calibrated, above 1 it is
/// over-confident.
/// </summary>
public static class SimulatedLogits
{
    public const int Classes = 5;

    private const int Kinds = 64;

    private static readonly float[] TrueLogits = DrawTrueLogits();

    /// <summary>The exact metrics, over all possible images.</summary>
    public static (double Accuracy, double Nll, double SignedGap) Truth(double sharpness)
    {
        var kinds = Enumerable.Range(0, Kinds).ToArray();
        var (truth, model) = (TrueProbabilities(kinds), Predictions.Of(new(ModelLogits(kinds, sharpness), new int[Kinds], Classes)));
        var probabilities = new double[Classes];
        double accuracy = 0,
            nll = 0,
            confidence = 0;
        for (var kind = 0; kind < Kinds; kind++)
        {
            accuracy += truth[kind * Classes + model.Predicted[kind]] / Kinds;
            confidence += model.Confidences[kind] / Kinds;
            model.Softmax(kind, probabilities);
            for (var k = 0; k < Classes; k++)
                nll -= truth[kind * Classes + k] * Math.Log(probabilities[k]) / Kinds;
        }
        return (accuracy, nll, confidence - accuracy);
    }

    public static LabelledLogits Draw(int count, double sharpness, long seed)
    {
        var random = new SplitMix64(seed, 99);
        var kinds = new int[count];
        for (var i = 0; i < count; i++)
            kinds[i] = random.NextInt32(Kinds);
        var truth = TrueProbabilities(kinds);
        var labels = new int[count];
        for (var i = 0; i < count; i++)
        {
            var u = random.NextDouble();
            while (labels[i] < Classes - 1 && (u -= truth[i * Classes + labels[i]]) >= 0)
                labels[i]++;
        }
        return new(ModelLogits(kinds, sharpness), labels, Classes);
    }

    /// <summary>softmax(logits / T), N×K.</summary>
    public static double[] Probabilities(LabelledLogits logits, double temperature = 1)
    {
        var (predictions, probabilities) = (Predictions.Of(logits, temperature), new double[logits.Logits.Length]);
        for (var i = 0; i < logits.Count; i++)
            predictions.Softmax(i, probabilities.AsSpan(i * logits.Classes, logits.Classes));
        return probabilities;
    }

    private static double[] TrueProbabilities(int[] kinds) => Probabilities(new(ModelLogits(kinds, 1), new int[kinds.Length], Classes));

    private static float[] ModelLogits(int[] kinds, double sharpness) =>
        [.. kinds.SelectMany(kind => TrueLogits.Skip(kind * Classes).Take(Classes).Select(z => (float)(sharpness * z)))];

    private static float[] DrawTrueLogits()
    {
        var random = new SplitMix64(0, 98);
        return [.. Enumerable.Range(0, Kinds * Classes).Select(_ => (float)random.NextDouble(-3, 3))];
    }
}
