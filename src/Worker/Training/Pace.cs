using System.Diagnostics;

namespace Temper.Worker.Training;

/// <summary>Measures steps and batches of evaluations: when to report next, and how long the next ones may take.</summary>
internal sealed class Pace(int batchSize)
{
    /// <summary>
    /// How long work may take of which nothing is known: reading data, a first step, a checkpoint, scores and weights. The longest step
    /// that a spec can ask for takes 40 s on two cores.
    /// </summary>
    public const double UnmeasuredSeconds = 300;

    /// <summary>Other programs may take most of the machine from one step to the next.</summary>
    private const double Margin = 5;

    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(500);

    private readonly double batchesInAnEvaluationsBatch = Math.Max(1, (double)Evaluator.BatchSize / batchSize);
    private long lastPiece = Stopwatch.GetTimestamp();
    private long? lastReport;
    private TimeSpan longest;

    /// <summary>How long a step, or a batch of an evaluation, may take by those since the last report.</summary>
    public double QuietSeconds { get; private set; } = UnmeasuredSeconds;

    /// <summary>Called before the first of several steps or batches.</summary>
    public void Begin() => lastPiece = Stopwatch.GetTimestamp();

    /// <summary>Called after each step and each batch.</summary>
    /// <returns>Whether something is to be told now, at first after one step; then the next time is that much later.</returns>
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
