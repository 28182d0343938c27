namespace Temper.Domain.Calibration.Measures;

/// <summary>
/// A reliability curve without bins: the isotonic regression of hits on confidences (CORP). Its Brier score splits the confidences' one:
/// score = miscalibration − discrimination + uncertainty.
/// </summary>
/// <param name="Score">Mean of (hit − confidence)², 0 to 1. This is the Brier score of the confidence, not that of all classes.</param>
/// <param name="Miscalibration">What the score loses against the curve; at least 0, and above 0 by chance alone.</param>
/// <param name="Chance">The miscalibration that a perfectly calibrated model would show; null without resamples.</param>
/// <param name="Discrimination">What the curve gains against the accuracy as everyone's confidence; at least 0.</param>
/// <param name="Uncertainty">accuracy·(1 − accuracy).</param>
/// <param name="Curve">The steps of the curve, in ascending order.</param>
/// <param name="Band">Where the curve of a perfectly calibrated model would lie, at up to 41 confidences; null without resamples.</param>
/// <remarks>
/// Dimitriadis, Gneiting and Jordan 2021, arXiv:2008.03033. The band draws the hits again from the confidences, which stay as they are.
/// </remarks>
public sealed record CorpReliability(
    double Score,
    double Miscalibration,
    Chance? Chance,
    double Discrimination,
    double Uncertainty,
    IReadOnlyList<CorpStep> Curve,
    IReadOnlyList<CorpBand>? Band
)
{
    private const ulong Stream = 5;

    private const int BandPoints = 41;

    /// <param name="order">The order of the confidences.</param>
    /// <param name="resamples">0 or more.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between resamples.</exception>
    public static CorpReliability Of(
        Predictions predictions,
        ConfidenceOrder order,
        int resamples,
        long seed,
        CancellationToken cancellation = default
    )
    {
        var (confidences, hits) = (order.Sort(predictions.Confidences), order.Sort(predictions.Hits));
        var blocks = new IsotonicFit.Block[order.TieStarts.Length - 1];
        var count = IsotonicFit.Of(order.TieStarts, hits, blocks);
        var score = MeanSquare(confidences, hits);
        var accuracy = hits.Average();
        var uncertainty = accuracy * (1 - accuracy);
        var recalibrated = Recalibrated(blocks.AsSpan(0, count), hits.Length);
        var drawn = Draw(order, confidences, resamples, seed, cancellation);
        return new(
            score,
            score - recalibrated,
            drawn?.Chance,
            uncertainty - recalibrated,
            uncertainty,
            [.. StepsOf(blocks[..count], order.TieStarts, confidences)],
            drawn?.Band
        );
    }

    private static double MeanSquare(double[] confidences, double[] hits)
    {
        var sum = 0.0;
        for (var i = 0; i < hits.Length; i++)
            sum += (hits[i] - confidences[i]) * (hits[i] - confidences[i]);
        return sum / hits.Length;
    }

    /// <summary>The score of the curve: a block of n hits or misses with mean v has Σ (hit − v)² = n·v·(1 − v).</summary>
    private static double Recalibrated(ReadOnlySpan<IsotonicFit.Block> blocks, int images)
    {
        var sum = 0.0;
        foreach (var block in blocks)
            sum += block.Count * block.Value * (1 - block.Value);
        return sum / images;
    }

    private static IEnumerable<CorpStep> StepsOf(IsotonicFit.Block[] blocks, int[] tieStarts, double[] confidences)
    {
        var first = 0;
        foreach (var block in blocks)
        {
            yield return new(confidences[tieStarts[first]], confidences[tieStarts[block.End] - 1], block.Count, block.Value);
            first = block.End;
        }
    }

    /// <returns>Null without resamples.</returns>
    private static (Chance Chance, IReadOnlyList<CorpBand> Band)? Draw(
        ConfidenceOrder order,
        double[] confidences,
        int resamples,
        long seed,
        CancellationToken cancellation
    )
    {
        if (resamples == 0)
            return null;
        var (n, random) = (confidences.Length, new SplitMix64(seed, Stream));
        int[] at =
        [
            .. Enumerable.Range(0, BandPoints).Select(i => (int)(((long)i * (n - 1) + (BandPoints - 1) / 2) / (BandPoints - 1))).Distinct(),
        ];
        double[][] curves = [.. at.Select(_ => new double[resamples])];
        var miscalibrations = new double[resamples];
        Parallel.For(
            0,
            resamples,
            Cores.Until(cancellation),
            () => (Hits: new double[n], Blocks: new IsotonicFit.Block[order.TieStarts.Length - 1]),
            (r, _, room) =>
            {
                var draws = random.After((long)r * n);
                for (var i = 0; i < n; i++)
                    room.Hits[i] = draws.NextDouble() < confidences[i] ? 1 : 0;
                var blocks = room.Blocks.AsSpan(0, IsotonicFit.Of(order.TieStarts, room.Hits, room.Blocks));
                miscalibrations[r] = MeanSquare(confidences, room.Hits) - Recalibrated(blocks, n);
                for (var (point, block) = (0, 0); point < at.Length; point++)
                {
                    while (order.TieStarts[blocks[block].End] <= at[point])
                        block++;
                    curves[point][r] = blocks[block].Value;
                }
                return room;
            },
            _ => { }
        );
        return (
            Calibration.Chance.Of(miscalibrations),
            [
                .. at.Select(
                    (image, point) =>
                    {
                        var band = Interval.Middle95(curves[point]);
                        return new CorpBand(confidences[image], band.Low, band.High);
                    }
                ),
            ]
        );
    }
}

/// <summary>A step of the curve: confidences with the same recalibrated probability.</summary>
/// <param name="From">The least confidence of the step.</param>
/// <param name="To">The largest.</param>
/// <param name="Count">Number of images.</param>
/// <param name="Probability">The recalibrated probability that a prediction of this confidence is right.</param>
public sealed record CorpStep(double From, double To, int Count, double Probability);

/// <summary>The middle 95 % of the curves of a perfectly calibrated model at one confidence.</summary>
public sealed record CorpBand(double Confidence, double Low, double High);
