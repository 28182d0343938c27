namespace Temper.Domain.Calibration.Measures;

/// <summary>How well a score tells right predictions from wrong ones, when the model answers only for the best of them.</summary>
/// <param name="Aurc">Mean error rate among the answered images over all coverages; 0 to 1.</param>
/// <param name="Augrc">Area under the generalized risk, the share of images that are answered and wrong, over all coverages; 0 to
/// ½.</param>
/// <param name="Risks">The error rate at given coverages.</param>
public sealed record SelectiveRisk(double Aurc, double Augrc, IReadOnlyList<RiskAtCoverage> Risks)
{
    private static readonly double[] Coverages = [0.8, 0.9, 0.95];

    /// <param name="scores">N; the image with the largest score is answered first.</param>
    /// <param name="hits">N.</param>
    public static SelectiveRisk Of(double[] scores, double[] hits)
    {
        var order = new ConfidenceOrder(scores);
        var shared = order.ShareTies(hits);
        return new(
            RiskCoverage.Aurc(order, hits),
            RiskCoverage.Augrc(order, hits),
            [.. Coverages.Select(coverage => RiskAtCoverage.Of(shared, coverage))]
        );
    }
}

/// <summary>The error rate among the images with the best scores.</summary>
/// <param name="Coverage">The share of images that are answered.</param>
/// <param name="Images">Their number, ⌈coverage·N⌉.</param>
/// <param name="Risk">The share of wrong ones among these. Ties at the end of these share their errors.</param>
/// <param name="RiskInterval">95 % Wilson interval of the risk, with the score at which answers end held fixed.</param>
public sealed record RiskAtCoverage(double Coverage, int Images, double Risk, Interval RiskInterval)
{
    /// <param name="shared">Hits from the least to the best score; ties have their mean.</param>
    internal static RiskAtCoverage Of(double[] shared, double coverage)
    {
        var images = (int)Math.Ceiling(coverage * shared.Length - 1e-9); // 0.8·N may be rounded up to above a whole number
        var wrong = images - shared.AsSpan(^images..).ToArray().Sum();
        return new(coverage, images, Math.Clamp(wrong / images, 0, 1), Interval.Wilson(Math.Clamp(wrong, 0, images), images));
    }
}
