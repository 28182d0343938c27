using System.Numerics;

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

    private readonly double[] confidences;
    private readonly double[] kernel;
    private readonly int reach;
    private readonly int cells;
    private readonly int stride;
    private readonly double density;

    private readonly double[] residuals;

    /// <summary>Masses on the grid, extended by <see cref="reach"/> reflected points on both sides.</summary>
    private readonly double[] extended;

    public SmoothCalibrationError(double[] confidences, double bandwidth)
    {
        this.confidences = confidences;
        Bandwidth = bandwidth;
        var meshCells = Math.Max(200, (int)Math.Ceiling(10 / bandwidth));
        stride = Math.Max(2, (1000 + meshCells - 1) / meshCells);
        cells = stride * meshCells;
        reach = (int)(Math.Min(6 * bandwidth, 0.5) * cells);
        kernel = new double[2 * reach + 1];
        for (var j = -reach; j <= reach; j++)
            kernel[reach + j] = Math.Exp(-0.5 * Math.Pow(j / (cells * bandwidth), 2));
        extended = new double[cells + 1 + 2 * reach];
        residuals = new double[confidences.Length];
        Array.Fill(residuals, 1);
        density = SumOfSmoothed(residuals, absolute: false);
    }

    /// <summary>σ, in (0, 1].</summary>
    public double Bandwidth { get; }

    /// <summary>Smooth ECE at the bandwidth that the rule chooses.</summary>
    /// <param name="confidences">N, each in [0, 1].</param>
    /// <param name="hits">N.</param>
    /// <exception cref="ArgumentException">No predictions, or lengths differ.</exception>
    public static (double Value, SmoothCalibrationError AtBandwidth) Of(double[] confidences, double[] hits)
    {
        if (confidences.Length == 0)
            throw new ArgumentException("No predictions.", nameof(confidences));
        if (confidences.Length != hits.Length)
            throw new ArgumentException("As many hits as confidences.", nameof(hits));
        double tooNarrow = 0,
            wideEnough = 1;
        for (var i = 0; i < Halvings; i++)
        {
            var middle = (tooNarrow + wideEnough) / 2;
            if (middle < SmallestBandwidth || middle < new SmoothCalibrationError(confidences, middle).Value(hits))
                tooNarrow = middle;
            else
                wideEnough = middle;
        }
        var chosen = new SmoothCalibrationError(confidences, wideEnough);
        return (chosen.Value(hits), chosen);
    }

    /// <summary>The error, in [0, 1]; 0 is perfectly calibrated. Not thread-safe.</summary>
    public double Value(ReadOnlySpan<double> hits)
    {
        for (var i = 0; i < residuals.Length; i++)
            residuals[i] = confidences[i] - hits[i];
        return SumOfSmoothed(residuals, absolute: true) / density;
    }

    private double SumOfSmoothed(ReadOnlySpan<double> masses, bool absolute)
    {
        SpreadOnGrid(masses);
        var sum = 0.0;
        for (var t = 0; t <= cells; t += stride)
        {
            var smoothed = Dot(kernel, extended.AsSpan(t, kernel.Length));
            sum += absolute ? Math.Abs(smoothed) : smoothed;
        }
        return sum;
    }

    private void SpreadOnGrid(ReadOnlySpan<double> masses)
    {
        Array.Clear(extended);
        var grid = extended.AsSpan(reach, cells + 1);
        for (var i = 0; i < masses.Length; i++)
        {
            var at = confidences[i] * cells;
            var left = Math.Min((int)at, cells - 1);
            grid[left] += (left + 1 - at) * masses[i];
            grid[left + 1] += (at - left) * masses[i];
        }
        for (var j = 1; j <= reach; j++)
        {
            extended[reach - j] = grid[j];
            extended[reach + cells + j] = grid[cells - j];
        }
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var width = Vector<double>.Count;
        var (sums, i) = (Vector<double>.Zero, 0);
        for (; i + width <= a.Length; i += width)
            sums += new Vector<double>(a[i..]) * new Vector<double>(b[i..]);
        var sum = Vector.Sum(sums);
        for (; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
