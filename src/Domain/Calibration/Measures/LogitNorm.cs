namespace Temper.Domain.Calibration.Measures;

/// <summary>
/// The largest logit divided by the p-norm of the logits, after their mean is subtracted. Xia et al. found for large models that label
/// smoothing lowers the largest logit of images that are likely to be wrong less than that of others, so that max probability finds a
/// smoothed model's wrong predictions worse, and that this score makes up for it. bench/records/table.md does not show the loss.
/// </summary>
/// <param name="Power">p, 1 to 10: that with the least AUGRC on the validation images, of equal ones the smallest.</param>
/// <param name="PowerIsFitted">False without validation images; p is then 5.</param>
/// <param name="Selective">What the score achieves on the test images.</param>
/// <remarks>
/// Xia et al. 2024, arXiv:2403.14715; the score is that of Cattelan and Silva 2023, arXiv:2305.15508. For two classes it is the same for
/// every image.
/// </remarks>
public sealed record LogitNorm(int Power, bool PowerIsFitted, SelectiveRisk Selective)
{
    private const int Powers = 10,
        UnfittedPower = 5;

    /// <param name="validation">Null when there are none.</param>
    /// <param name="hits">N, of the test images.</param>
    /// <returns>Null for two classes.</returns>
    public static LogitNorm? Of(LabelledLogits? validation, LabelledLogits test, double[] hits, CancellationToken cancellation = default)
    {
        if (test.Classes == 2)
            return null;
        var power = validation is null ? UnfittedPower : Best(validation, cancellation);
        return new(power, validation is not null, SelectiveRisk.Of(Scores(test, power, power, cancellation)[0], hits));
    }

    private static int Best(LabelledLogits validation, CancellationToken cancellation)
    {
        double[] hits = [.. validation.Predicted.Zip(validation.Labels, (predicted, label) => predicted == label ? 1.0 : 0)];
        var scores = Scores(validation, 1, Powers, cancellation);
        var (best, least) = (1, double.PositiveInfinity);
        for (var power = 1; power <= Powers; power++)
        {
            cancellation.ThrowIfCancellationRequested();
            var augrc = RiskCoverage.Augrc(new(scores[power - 1]), hits);
            if (augrc < least - 1e-12) // sums in a different order differ in the last digits
                (best, least) = (power, augrc);
        }
        return best;
    }

    /// <returns>For each p from <paramref name="first"/> to <paramref name="last"/>, N scores; 0 for an image whose logits are all
    /// equal.</returns>
    private static double[][] Scores(LabelledLogits logits, int first, int last, CancellationToken cancellation)
    {
        double[][] scores = [.. Enumerable.Range(first, last - first + 1).Select(_ => new double[logits.Count])];
        Pieces.ForEach(
            logits.Count,
            cancellation,
            (_, start, end) =>
            {
                var sums = new double[last + 1];
                for (var i = start; i < end; i++)
                {
                    var row = logits.Row(i);
                    var (mean, largest) = (0.0, 0.0);
                    foreach (var logit in row)
                        mean += (double)logit / row.Length;
                    foreach (var logit in row)
                        largest = Math.Max(largest, Math.Abs(logit - mean));
                    if (row.IndexOfAnyExcept(row[0]) < 0)
                        continue;
                    sums.AsSpan().Clear();
                    foreach (var logit in row)
                    {
                        var (share, term) = (Math.Abs(logit - mean) / largest, 1.0);
                        for (var p = 1; p <= last; p++)
                            sums[p] += term *= share;
                    }
                    for (var p = first; p <= last; p++)
                        scores[p - first][i] = (row[logits.Predicted[i]] - mean) / largest / Math.Pow(sums[p], 1.0 / p);
                }
            }
        );
        return scores;
    }
}
