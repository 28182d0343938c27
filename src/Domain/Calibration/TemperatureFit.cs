using System.Numerics;

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

    /// <summary>Rows of one piece of work. The sums of the pieces are added in their order, whatever the number of cores.</summary>
    private const int PieceRows = 4096;

    /// <summary>Fits T by Newton's method on β = 1/T, in which the loss is convex, within a shrinking bracket.</summary>
    /// <param name="validation">Images that are used neither to train nor to evaluate the model.</param>
    public static TemperatureFit On(LabelledLogits validation) => On(new(validation, null, 0, validation.Count), 1);

    /// <summary>Fits T on all images except those of a fold.</summary>
    /// <param name="folds">The fold of each image.</param>
    /// <param name="start">A temperature near the minimum.</param>
    internal static TemperatureFit Without(LabelledLogits all, byte[] folds, int fold, double start) =>
        On(new(all, folds, fold, all.Count - folds.Count(one => one == fold)), start);

    private static TemperatureFit On(Images images, double start)
    {
        var (beta, note) = Minimise(images, 1 / start);
        double before = Nll(images, 1).Value,
            after = Nll(images, beta).Value;
        // At the end of the search both values may be equal up to rounding.
        return after <= before ? new(1 / beta, before, after, note) : new(1, before, before, note);
    }

    /// <summary>The images of all folds except one, or all images when <paramref name="Folds"/> is null.</summary>
    private readonly record struct Images(LabelledLogits Logits, byte[]? Folds, int Fold, int Count)
    {
        public bool Have(int i) => Folds is null || Folds[i] != Fold;
    }

    private static (double Beta, string? Note) Minimise(Images logits, double start)
    {
        double low = 1 / Largest,
            high = 1 / Smallest,
            beta = start;
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

    private static (double Beta, string Note) AllRight(Images logits, double largest)
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

    private static bool AreAllRight(Images images)
    {
        var logits = images.Logits;
        for (var i = 0; i < logits.Count; i++)
            if (images.Have(i) && logits.Row(i)[logits.Labels[i]] < HighestOf(logits.Row(i)))
                return false;
        return true;
    }

    /// <summary>
    /// Σ over images of the probability of all classes except those with the largest logit: the mistakes that the model expects.
    /// It tends to 0 as T → 0.
    /// </summary>
    private static double Doubt(Images images, double beta) => SumOver(images, i => Doubt(images.Logits.Row(i), beta));

    private static double Doubt(ReadOnlySpan<float> logits, double beta)
    {
        double top = 0,
            rest = 0,
            largest = HighestOf(logits);
        var i = 0;
        var (highest, slope, sums) = (new Vector<double>(largest), new Vector<double>(beta), Vector<double>.Zero);
        for (; i + Vector<float>.Count <= logits.Length; i += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(logits[i..]), out var low, out var high);
            Add(low - highest);
            Add(high - highest);
        }
        rest = Vector.Sum(sums);
        for (var j = 0; j < logits.Length; j++)
        {
            if (logits[j] == largest)
                top++;
            else if (j >= i)
                rest += Math.Exp(beta * (logits[j] - largest));
        }
        return rest / (top + rest);

        void Add(Vector<double> below) =>
            sums += Vector.ConditionalSelect(Vector.LessThan(below, Vector<double>.Zero), Vector.Exp(slope * below), Vector<double>.Zero);
    }

    private static bool AreFlat(Images images)
    {
        for (var i = 0; i < images.Logits.Count; i++)
            if (images.Have(i) && images.Logits.Row(i).IndexOfAnyExcept(images.Logits.Row(i)[0]) >= 0)
                return false;
        return true;
    }

    /// <summary>Mean over images of ln Σ_k exp(β z_k) − β z_label, and its first two derivatives in β.</summary>
    private static (double Value, double Slope, double Curvature) Nll(Images images, double beta)
    {
        var (value, slope, curvature) = SumOver(images, i => Nll(images.Logits.Row(i), images.Logits.Labels[i], beta));
        return (value / images.Count, slope / images.Count, curvature / images.Count);
    }

    private static Sums Nll(ReadOnlySpan<float> logits, int label, double beta)
    {
        double largest = HighestOf(logits);
        var (sum, first, second) = Moments(logits, largest, beta);
        var (mean, below) = (first / sum, logits[label] - largest);
        return new(Math.Log(sum) - beta * below, mean - below, second / sum - mean * mean);
    }

    /// <summary>A loss and its first two derivatives in β, for one image or summed.</summary>
    private readonly record struct Sums(double Value, double Slope, double Curvature)
    {
        public static Sums operator +(Sums a, Sums b) => new(a.Value + b.Value, a.Slope + b.Slope, a.Curvature + b.Curvature);
    }

    private static double SumOver(Images images, Func<int, double> of) => SumOver(images, i => new Sums(of(i), 0, 0)).Value;

    /// <summary>Σ over images, on all cores when there are many.</summary>
    private static Sums SumOver(Images images, Func<int, Sums> of)
    {
        var pieces = new Sums[(images.Logits.Count + PieceRows - 1) / PieceRows];
        if (pieces.Length == 1)
            return SumOf(0);
        Parallel.For(0, pieces.Length, piece => pieces[piece] = SumOf(piece));
        return pieces.Aggregate((a, b) => a + b);

        Sums SumOf(int piece)
        {
            var sum = default(Sums);
            var end = Math.Min((piece + 1) * PieceRows, images.Logits.Count);
            for (var i = piece * PieceRows; i < end; i++)
                if (images.Have(i))
                    sum += of(i);
            return sum;
        }
    }

    /// <summary>Σ_k exp(β d_k)·d_k^m for m of 0, 1 and 2, where d_k is how far a logit lies below the largest.</summary>
    private static (double Sum, double First, double Second) Moments(ReadOnlySpan<float> logits, double largest, double beta)
    {
        double sum = 0,
            first = 0,
            second = 0;
        var i = 0;
        if (logits.Length >= Vector<float>.Count)
        {
            var (sums, firsts, seconds) = (Vector<double>.Zero, Vector<double>.Zero, Vector<double>.Zero);
            var (top, slope) = (new Vector<double>(largest), new Vector<double>(beta));
            for (; i + Vector<float>.Count <= logits.Length; i += Vector<float>.Count)
            {
                Vector.Widen(new Vector<float>(logits[i..]), out var low, out var high);
                Add(low - top);
                Add(high - top);
            }
            (sum, first, second) = (Vector.Sum(sums), Vector.Sum(firsts), Vector.Sum(seconds));

            void Add(Vector<double> below)
            {
                var weight = Vector.Exp(slope * below);
                sums += weight;
                firsts += weight * below;
                seconds += weight * below * below;
            }
        }
        for (; i < logits.Length; i++)
        {
            var below = logits[i] - largest;
            var weight = Math.Exp(beta * below);
            sum += weight;
            first += weight * below;
            second += weight * below * below;
        }
        return (sum, first, second);
    }

    private static float HighestOf(ReadOnlySpan<float> logits)
    {
        var highest = logits[0];
        foreach (var z in logits)
            highest = Math.Max(highest, z);
        return highest;
    }
}
