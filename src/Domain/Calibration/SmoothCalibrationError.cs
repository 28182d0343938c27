namespace Temper.Domain.Calibration;

/// <summary>
/// Smooth ECE at one bandwidth σ: the mean over predictions of |confidence − accuracy|, both smoothed by a Gaussian instead of
/// binned. Błasiok and Nakkiran 2023, arXiv:2309.12236; the numbers agree with those of their package relplot.
/// </summary>
/// <remarks>
/// <para>Kernel: the normal density with deviation σ, truncated at the smaller of 6σ and ½, reflected at 0 and at 1.</para>
/// <para>
/// Grid: m = max(200, ⌈10/σ⌉) cells on [0, 1], whose m + 1 edges are the points t of the sums. Each cell has max(2, ⌈1000/m⌉)
/// cells of the finer grid that is smoothed. A prediction's mass is shared linearly between the two fine grid points around its
/// confidence.
/// </para>
/// <para>
/// Value: Σ_t |R(t)| / Σ_t D(t), with R(t) = Σ_i (confidence_i − hit_i)·K(t, confidence_i) and D(t) = Σ_i K(t, confidence_i).
/// </para>
/// <para>
/// Bandwidth: the smallest σ of 2/1024, 3/1024 … 1 with value ≤ σ, found by ten halvings. The value falls as σ grows, so the
/// value is about equal to σ there.
/// </para>
/// </remarks>
public sealed class SmoothCalibrationError
{
    private const int Halvings = 10;
    private const double SmallestBandwidth = 0.001;

    private readonly double[] kernel;
    private readonly int reach;
    private readonly int cells;
    private readonly int stride;
    private readonly double density;

    /// <summary>The confidences on the grid.</summary>
    private readonly double[] confidenceMasses;

    private SmoothCalibrationError(double[] confidences, double[] hits, double bandwidth)
    {
        Bandwidth = bandwidth;
        var meshCells = Math.Max(200, (int)Math.Ceiling(10 / bandwidth));
        stride = Math.Max(2, (1000 + meshCells - 1) / meshCells);
        cells = stride * meshCells;
        reach = (int)(Math.Min(6 * bandwidth, 0.5) * cells);
        kernel = new double[2 * reach + 1];
        for (var j = -reach; j <= reach; j++)
            kernel[reach + j] = Math.Exp(-0.5 * Math.Pow(j / (cells * bandwidth), 2));

        var (ones, hitMasses) = (new double[GridPoints], new double[GridPoints]);
        confidenceMasses = new double[GridPoints];
        for (var i = 0; i < confidences.Length; i++)
        {
            var (left, leftShare, rightShare) = Place(confidences[i]);
            ones[left] += leftShare;
            ones[left + 1] += rightShare;
            confidenceMasses[left] += leftShare * confidences[i];
            confidenceMasses[left + 1] += rightShare * confidences[i];
            hitMasses[left] += leftShare * hits[i];
            hitMasses[left + 1] += rightShare * hits[i];
        }
        density = SumOfSmoothed(ones, absolute: false);
        Observed = Value(hitMasses);
    }

    /// <summary>σ, in (0, 1].</summary>
    public double Bandwidth { get; }

    /// <summary>The error of the hits that were observed, in [0, 1]; 0 is perfectly calibrated.</summary>
    public double Observed { get; }

    internal int GridPoints => cells + 1;

    /// <summary>Smooth ECE at the bandwidth that the rule chooses.</summary>
    /// <param name="confidences">N, each in [0, 1].</param>
    /// <param name="hits">N.</param>
    /// <exception cref="ArgumentException">No predictions, or lengths differ.</exception>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between bandwidths.</exception>
    public static SmoothCalibrationError Of(double[] confidences, double[] hits, CancellationToken cancellation = default)
    {
        if (confidences.Length == 0)
            throw new ArgumentException("No predictions.", nameof(confidences));
        if (confidences.Length != hits.Length)
            throw new ArgumentException("As many hits as confidences.", nameof(hits));
        double tooNarrow = 0,
            wideEnough = 1;
        for (var i = 0; i < Halvings; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var middle = (tooNarrow + wideEnough) / 2;
            if (middle < SmallestBandwidth || middle < new SmoothCalibrationError(confidences, hits, middle).Observed)
                tooNarrow = middle;
            else
                wideEnough = middle;
        }
        return new(confidences, hits, wideEnough);
    }

    /// <summary>The grid points around a confidence, and the share of its mass on each.</summary>
    internal (int Left, double LeftShare, double RightShare) Place(double confidence)
    {
        var at = confidence * cells;
        var left = Math.Min((int)at, cells - 1);
        return (left, left + 1 - at, at - left);
    }

    /// <summary>The error of other hits of the same confidences.</summary>
    /// <param name="hitMasses">The hits on the grid, as <see cref="Place"/> shares them.</param>
    internal double Value(ReadOnlySpan<double> hitMasses)
    {
        var residuals = new double[GridPoints];
        for (var j = 0; j < residuals.Length; j++)
            residuals[j] = confidenceMasses[j] - hitMasses[j];
        return SumOfSmoothed(residuals, absolute: true) / density;
    }

    private double SumOfSmoothed(double[] masses, bool absolute)
    {
        // Extended by the masses reflected at 0 and at 1, as far as the kernel reaches.
        var extended = new double[GridPoints + 2 * reach];
        masses.CopyTo(extended, reach);
        for (var j = 1; j <= reach; j++)
        {
            extended[reach - j] = masses[j];
            extended[reach + cells + j] = masses[cells - j];
        }
        var sum = 0.0;
        for (var t = 0; t <= cells; t += stride)
        {
            var smoothed = VectorLoops.Dot(kernel, extended.AsSpan(t, kernel.Length));
            sum += absolute ? Math.Abs(smoothed) : smoothed;
        }
        return sum;
    }
}
