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
    private const int Kinds = 64,
        Classes = 5;

    private static readonly float[] TrueLogits = DrawTrueLogits();

    /// <summary>The exact metrics, over all possible images.</summary>
    public static (double Accuracy, double Nll, double SignedGap) Truth(double sharpness)
    {
        var kinds = Enumerable.Range(0, Kinds).ToArray();
        var (truth, model) = (Probabilities(kinds, 1), Probabilities(kinds, sharpness));
        double accuracy = 0,
            nll = 0,
            confidence = 0;
        for (var kind = 0; kind < Kinds; kind++)
        {
            accuracy += truth.Probabilities[kind * Classes + model.Predicted[kind]] / Kinds;
            confidence += model.Confidences[kind] / Kinds;
            for (var k = 0; k < Classes; k++)
                nll -= truth.Probabilities[kind * Classes + k] * Math.Log(model.Probabilities[kind * Classes + k]) / Kinds;
        }
        return (accuracy, nll, confidence - accuracy);
    }

    public static LabelledLogits Draw(int count, double sharpness, long seed)
    {
        var random = new SplitMix64(seed, 99);
        var kinds = new int[count];
        for (var i = 0; i < count; i++)
            kinds[i] = random.NextInt32(Kinds);
        var truth = Probabilities(kinds, 1);
        var labels = new int[count];
        for (var i = 0; i < count; i++)
        {
            var u = random.NextDouble();
            while (labels[i] < Classes - 1 && (u -= truth.Probabilities[i * Classes + labels[i]]) >= 0)
                labels[i]++;
        }
        return new(ModelLogits(kinds, sharpness), labels, Classes);
    }

    private static Predictions Probabilities(int[] kinds, double sharpness) =>
        Predictions.Of(new(ModelLogits(kinds, sharpness), new int[kinds.Length], Classes));

    private static float[] ModelLogits(int[] kinds, double sharpness) =>
        [.. kinds.SelectMany(kind => TrueLogits.Skip(kind * Classes).Take(Classes).Select(z => (float)(sharpness * z)))];

    private static float[] DrawTrueLogits()
    {
        var random = new SplitMix64(0, 98);
        return [.. Enumerable.Range(0, Kinds * Classes).Select(_ => (float)random.NextDouble(-3, 3))];
    }
}
