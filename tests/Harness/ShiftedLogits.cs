using Temper.Domain;
using Temper.Domain.Calibration;

namespace Temper.Harness;

/// <summary>
/// A classifier of two classes whose confidences are uniform in [0.65, 0.95) and above the true probability by the same shift, so that
/// its ℓ2 calibration error is the shift, with any bins.
/// </summary>
public static class ShiftedLogits
{
    /// <param name="shift">−0.05 to 0.65.</param>
    public static LabelledLogits Draw(int count, double shift, long seed)
    {
        var random = new SplitMix64(seed, 97);
        var (logits, labels) = (new float[count * 2], new int[count]);
        for (var i = 0; i < count; i++)
        {
            var confidence = random.NextDouble(0.65, 0.95);
            logits[2 * i] = (float)Math.Log(confidence / (1 - confidence));
            labels[i] = random.NextDouble() < confidence - shift ? 0 : 1;
        }
        return new(logits, labels, 2);
    }
}
