using Temper.Domain;
using Temper.Domain.Calibration;

namespace Temper.Harness;

/// <summary>A classifier of two classes whose calibration error at each confidence is known.</summary>
/// <param name="Doubt">1 − confidence at each u in [0, 1), at most ½; the u of the images are uniform. It rises or falls with u.</param>
/// <param name="Error">Confidence − probability that the prediction is right, from 1 − confidence.</param>
public sealed record ShiftedLogits(Func<double, double> Doubt, Func<double, double> Error)
{
    private const int Steps = 1_500_000;

    /// <summary>Confidences are uniform in [0.65, 0.95), and the error is the same everywhere: the ℓ2 error with any bins.</summary>
    /// <param name="shift">−0.05 to 0.65.</param>
    public static ShiftedLogits By(double shift) => new(u => 0.35 - 0.3 * u, _ => shift);

    public LabelledLogits Draw(int count, long seed)
    {
        var random = new SplitMix64(seed, 97);
        var (logits, labels) = (new float[count * 2], new int[count]);
        for (var i = 0; i < count; i++)
        {
            var doubt = Doubt(random.NextDouble());
            logits[2 * i] = (float)Math.Log((1 - doubt) / doubt);
            labels[i] = random.NextDouble() < 1 - doubt - Error(doubt) ? 0 : 1;
        }
        return new(logits, labels, 2);
    }

    /// <summary>The accuracy over all possible images.</summary>
    public double Accuracy() => Doubts(Steps).Average(doubt => 1 - doubt - Error(doubt));

    /// <summary>
    /// The ℓ2 calibration error over all possible images, in bins of equal mass; errors that cancel in a bin are not in it.
    /// </summary>
    public double BinnedL2(int bins) =>
        Math.Sqrt(Doubts(Steps).Chunk(Steps / bins).Average(bin => bin.Average(Error) * bin.Average(Error)));

    /// <summary>The ℓ2 calibration error over all possible images without bins.</summary>
    public double L2() => Math.Sqrt(Doubts(Steps).Average(doubt => Math.Pow(Error(doubt), 2)));

    private IEnumerable<double> Doubts(int steps) => Enumerable.Range(0, steps).Select(i => Doubt((i + 0.5) / steps));
}
