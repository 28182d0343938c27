namespace Temper.Domain.Calibration.Measures;

/// <summary>
/// The squared kernel calibration error: whether the probabilities of all classes are calibrated together, not only the largest. It is
/// the mean over pairs of images of exp(−‖p_i − p_j‖/0.1)·(e_i − p_i)·(e_j − p_j), where e is 1 at the label and 0 elsewhere. Its
/// expectation is 0 for a calibrated model and positive for others.
/// </summary>
/// <param name="Value">The unbiased estimate from all pairs; it may be negative.</param>
/// <param name="PValue">How often a calibrated model with these probabilities would show at least this value; null without resamples.
/// The labels are drawn again from the probabilities, so the test is exact.</param>
/// <param name="Images">Number of images: all, or <see cref="MostImages"/> of them, chosen at random by the seed.</param>
/// <remarks>Widmann, Lindsten and Zachariah 2019, arXiv:1910.11385, with the Euclidean norm and the same bandwidth in each report, so that
/// values of different models compare.</remarks>
public sealed record KernelCalibrationError(double Value, double? PValue, int Images)
{
    /// <summary>All pairs of more images would take too much time and memory.</summary>
    public const int MostImages = 1000;

    /// <summary>Whether the test finds that the probabilities of all classes together are not calibrated.</summary>
    internal bool Rejects => PValue < Verdict.Level;

    /// <summary>A kernel much wider sees the bias of classes only, and misses over-confidence; docs/decisions/0070-measures.md.</summary>
    private const double Bandwidth = 0.1;

    /// <summary>The numbers of so many classes of all images fit a processor's cache.</summary>
    private const int ClassesTogether = 32;

    private const ulong Stream = 7;

    /// <param name="resamples">0 or more.</param>
    /// <returns>Null for one image.</returns>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between images and resamples.</exception>
    public static KernelCalibrationError? Of(Predictions all, int resamples, long seed, CancellationToken cancellation = default)
    {
        if (all.Count < 2)
            return null;
        var images = Subsample.Of(all.Count, MostImages, seed);
        var (n, k) = (images.Length, all.Classes);
        var (probabilities, labels) = (new double[n * k], Array.ConvertAll(images, image => all.Labels[image]));
        for (var i = 0; i < n; i++)
            all.Softmax(images[i], probabilities.AsSpan(i * k, k));
        var kernel = Kernel(probabilities, n, k, cancellation);
        var (smoothed, constant) = Smooth(kernel, probabilities, n, k, cancellation);
        var observed = Estimate(labels, kernel, smoothed, constant, k);
        if (resamples == 0)
            return new(observed, null, n);

        for (var i = 0; i < probabilities.Length; i++)
            if (i % k > 0)
                probabilities[i] += probabilities[i - 1]; // from here on cumulative
        var (random, atLeast) = (new SplitMix64(seed, Stream), 0);
        Parallel.For(
            0,
            resamples,
            Cores.Until(cancellation),
            r =>
            {
                var drawn = new int[n];
                for (var i = 0; i < n; i++)
                {
                    var above = probabilities.AsSpan(i * k, k).BinarySearch(random.DoubleAfter((long)r * n + i));
                    drawn[i] = Math.Min(above < 0 ? ~above : above + 1, k - 1);
                }
                // Sums of the same terms in a different order may differ in the last digits.
                if (Estimate(drawn, kernel, smoothed, constant, k) >= observed - 1e-12)
                    Interlocked.Increment(ref atLeast);
            }
        );
        return new(observed, ConsistencyTest.PValueOf(atLeast, resamples), n);
    }

    /// <returns>Row i has the kernel of image i and each image before it.</returns>
    private static double[][] Kernel(double[] probabilities, int n, int k, CancellationToken cancellation)
    {
        var kernel = new double[n][];
        Parallel.For(
            0,
            n,
            Cores.Until(cancellation),
            i =>
            {
                kernel[i] = new double[i];
                for (var j = 0; j < i; j++)
                    kernel[i][j] = Math.Exp(
                        -VectorLoops.Distance(probabilities.AsSpan(i * k, k), probabilities.AsSpan(j * k, k)) / Bandwidth
                    );
            }
        );
        return kernel;
    }

    /// <returns>For each image Σ_j k_ij·p_j over the others, N×K, and Σ_ij k_ij·p_i·p_j.</returns>
    private static (double[] Smoothed, double Constant) Smooth(
        double[][] kernel,
        double[] probabilities,
        int n,
        int k,
        CancellationToken cancellation
    )
    {
        var smoothed = new double[n * k];
        Parallel.For(
            0,
            (k + ClassesTogether - 1) / ClassesTogether,
            Cores.Until(cancellation),
            block =>
            {
                var first = block * ClassesTogether;
                var count = Math.Min(ClassesTogether, k - first);
                for (var i = 0; i < n; i++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    for (var j = 0; j < i; j++)
                    {
                        var (own, other) = (i * k + first, j * k + first);
                        VectorLoops.AddProduct(smoothed.AsSpan(own, count), probabilities.AsSpan(other, count), kernel[i][j]);
                        VectorLoops.AddProduct(smoothed.AsSpan(other, count), probabilities.AsSpan(own, count), kernel[i][j]);
                    }
                }
            }
        );
        return (smoothed, VectorLoops.Dot(smoothed, probabilities));
    }

    /// <summary>The products of e − p, written out: only e depends on the labels, so that other labels cost no exponentials.</summary>
    private static double Estimate(int[] labels, double[][] kernel, double[] smoothed, double constant, int k)
    {
        var (same, mixed) = (0.0, 0.0);
        var (last, before) = (new int[k], new int[labels.Length]); // the last image of each class, and the one before each
        last.AsSpan().Fill(-1);
        for (var i = 0; i < labels.Length; i++)
        {
            (before[i], last[labels[i]]) = (last[labels[i]], i);
            for (var j = before[i]; j >= 0; j = before[j])
                same += kernel[i][j];
            mixed += smoothed[i * k + labels[i]];
        }
        return (2 * same - 2 * mixed + constant) / ((double)labels.Length * (labels.Length - 1));
    }
}
