using Temper.Domain.Calibration;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Domain.Calibration;

public class BinningTests
{
    private sealed record Values(double Ece, double Mce);

    private sealed record Edges(int Bins, double[] Hits, Values Guo, Values Torchmetrics, Values Netcal);

    [Theory]
    [InlineData(Binning.Guo, 10, new[] { .95, 1.0 }, new[] { 1.0, 0 }, 0.475)] // both share the last bin
    [InlineData(Binning.Netcal, 10, new[] { .95, 1.0 }, new[] { 1.0, 0 }, 0.475)]
    [InlineData(Binning.Torchmetrics, 10, new[] { .95, 1.0 }, new[] { 1.0, 0 }, 0.525)] // 1.0 has its own bin
    [InlineData(Binning.Guo, 2, new[] { .5, .9 }, new[] { 1.0, 0 }, 0.70)] // right-closed: .5 lies in the first bin
    [InlineData(Binning.Torchmetrics, 2, new[] { .5, .9 }, new[] { 1.0, 0 }, 0.20)] // left-closed: .5 lies in the second bin
    [InlineData(Binning.Netcal, 2, new[] { .5, .9 }, new[] { 1.0, 0 }, 0.20)]
    [InlineData(Binning.Guo, 10, new[] { 0.0, 0.05 }, new[] { 1.0, 0 }, 0.475)] // 0 joins the first bin
    [InlineData(Binning.Guo, 1, new[] { 0.2, 0.4, 0.6, 0.8 }, new[] { 1.0, 1, 0, 0 }, 0.0)] // one bin hides opposite errors
    public void Expected_GoldenVectors_MatchesValuesByHand(Binning binning, int bins, double[] confidences, double[] hits, double ece) =>
        Assert.Equal(ece, CalibrationError.Expected(BinSums.EqualWidth(confidences, hits, bins, binning)), 1e-12);

    [Fact]
    public void EqualWidth_ConfidencesExactlyOnEdges_MatchesTheReference()
    {
        foreach (var expected in Fixture.Read<Edges>("calibration_edges.json"))
        {
            double[] confidences = [.. Enumerable.Range(0, expected.Hits.Length).Select(i => (double)(i / 3) / expected.Bins)];
            foreach (
                var (binning, values) in new[]
                {
                    (Binning.Guo, expected.Guo),
                    (Binning.Torchmetrics, expected.Torchmetrics),
                    (Binning.Netcal, expected.Netcal),
                }
            )
            {
                var bins = BinSums.EqualWidth(confidences, expected.Hits, expected.Bins, binning);
                Assert.Equal(values.Ece, CalibrationError.Expected(bins), 1e-12);
                Assert.Equal(values.Mce, CalibrationError.Maximum(bins), 1e-12);
            }
        }
    }

    [Theory]
    [InlineData(10, 3, new[] { 4, 3, 3 })]
    [InlineData(2, 5, new[] { 1, 1, 0, 0, 0 })]
    [InlineData(15, 15, new[] { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 })]
    public void EqualMass_AnyNumbers_CountsDifferByAtMostOne(int count, int bins, int[] expected)
    {
        double[] confidences = [.. Enumerable.Range(0, count).Select(i => (i + 0.5) / count)];

        Assert.Equal(expected, BinSums.EqualMass(confidences, new double[count], bins).Select(bin => bin.Count));
    }

    [Fact]
    public void EqualMass_TiesAcrossACut_ShareTheirHits()
    {
        // Four equal confidences with one hit, in two bins: each bin gets half a hit, in any order of the images.
        var first = BinSums.EqualMass([.5, .5, .5, .5], [1, 0, 0, 0], 2);
        var last = BinSums.EqualMass([.5, .5, .5, .5], [0, 0, 0, 1], 2);

        Assert.Equal([0.5, 0.5], first.Select(bin => bin.Hits));
        Assert.Equal(first, last);
    }

    [Theory]
    [InlineData(new double[0], new double[0], 15)]
    [InlineData(new[] { .5 }, new[] { 1.0, 0 }, 15)]
    [InlineData(new[] { .5 }, new[] { 1.0 }, 0)]
    [InlineData(new[] { 1.01 }, new[] { 1.0 }, 15)]
    [InlineData(new[] { -0.01 }, new[] { 1.0 }, 15)]
    [InlineData(new[] { double.NaN }, new[] { 1.0 }, 15)]
    public void EqualWidth_NonsenseInput_IsRefused(double[] confidences, double[] hits, int bins)
    {
        foreach (var binning in Enum.GetValues<Binning>())
            Assert.ThrowsAny<ArgumentException>(() => BinSums.EqualWidth(confidences, hits, bins, binning));
    }
}
