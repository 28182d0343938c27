using System.Diagnostics;

namespace Temper.Worker.Training;

/// <summary>
/// Measures the duration of steps and evaluation batches. It tells when to report, and how long the next ones may take.
/// </summary>
internal sealed class Pace(int batchSize)
{
    /// <summary>
    /// How long work of unknown duration may take: reading data, a first step, a checkpoint, scores and weights. The longest step
    /// that a spec allows takes 40 s on two cores.
    /// </summary>
    public const double UnmeasuredSeconds = 300;

    /// <summary>Factor on measured durations, because other programs may suddenly use most of the machine.</summary>
    private const double Margin = 5;

    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(500);

    private readonly double batchesInAnEvaluationsBatch = Math.Max(1, (double)Evaluator.BatchSize / batchSize);
    private long lastPiece = Stopwatch.GetTimestamp();
    private long? lastReport;
    private TimeSpan longest;

    /// <summary>How long the next step or evaluation batch may take, estimated from those before the last report.</summary>
    public double QuietSeconds { get; private set; } = UnmeasuredSeconds;

    /// <summary>Call it before the first of several steps or batches.</summary>
    public void Begin() => lastPiece = Stopwatch.GetTimestamp();

    /// <summary>Call it after each step and each batch.</summary>
    /// <returns>True if a report is due: after the first step, then at the interval. True restarts the interval.</returns>
    public bool ReportIsDue()
    {
        var now = Stopwatch.GetTimestamp();
        var piece = Stopwatch.GetElapsedTime(lastPiece, now);
        if (piece > longest)
            longest = piece;
        lastPiece = now;
        if (lastReport is { } last && Stopwatch.GetElapsedTime(last, now) < ReportInterval)
            return false;
        (lastReport, QuietSeconds, longest) = (now, Margin * longest.TotalSeconds * batchesInAnEvaluationsBatch, TimeSpan.Zero);
        return true;
    }
}
