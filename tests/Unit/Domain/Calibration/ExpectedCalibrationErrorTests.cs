using Temper.Domain.Calibration;

namespace Temper.Unit.Domain.Calibration;

public class ExpectedCalibrationErrorTests
{
    [Theory]
    [InlineData(new[] { .95, 1.0 }, new[] { true, false }, 10, 0.475)] // one shared last bin
    [InlineData(new[] { .5, .9 }, new[] { true, false }, 2, 0.70)] // right-closed: .5 lies in the first bin
    [InlineData(new[] { 1.0, 1.0 }, new[] { true, true }, 15, 0.0)]
    [InlineData(new[] { 1.0, 1.0 }, new[] { false, false }, 15, 1.0)]
    [InlineData(new[] { 0.0 }, new[] { false }, 15, 0.0)] // 0 joins the first bin
    [InlineData(new[] { 0.0, 0.05 }, new[] { true, false }, 10, 0.475)] // … and shares it
    [InlineData(new[] { 0.7 }, new[] { true }, 1, 0.3)]
    [InlineData(new[] { 0.2, 0.4, 0.6, 0.8 }, new[] { true, true, false, false }, 1, 0.0)] // one bin hides opposite errors
    public void Of_KnownPredictions_MatchesValuesByHand(double[] confidences, bool[] correct, int bins, double expected) =>
        Assert.Equal(expected, ExpectedCalibrationError.Of(confidences, correct, bins), 1e-12);

    [Theory]
    [InlineData(10)]
    [InlineData(15)]
    [InlineData(49)]
    public void Of_ConfidencesExactlyOnEdges_FallIntoTheBinBelow(int bins)
    {
        // Each edge b/bins shares bin b − 1 with that bin's centre. With the edge right and the centre wrong, their errors
        // meet in one sum; were the edge in the next bin, they would add up instead.
        for (var edge = 1; edge <= bins; edge++)
        {
            double onEdge = (double)edge / bins, centre = (edge - 0.5) / bins;
            var shared = Math.Abs(1 - onEdge - centre) / 2;
            Assert.Equal(shared, ExpectedCalibrationError.Of([onEdge, centre], [true, false], bins), 1e-12);
        }
    }

    [Fact]
    public void Of_OrderOfPredictions_DoesNotMatter()
    {
        double[] confidences = [.31, .99, .62, .62, .17, .88, 1, 0];
        bool[] correct = [true, true, false, true, false, false, true, true];
        var expected = ExpectedCalibrationError.Of(confidences, correct);

        Assert.Equal(expected, ExpectedCalibrationError.Of([.. confidences.Reverse()], [.. correct.Reverse()]), 1e-15);
    }

    [Theory]
    [InlineData(new double[0], new bool[0], 15)]
    [InlineData(new[] { .5 }, new[] { true, false }, 15)]
    [InlineData(new[] { .5 }, new[] { true }, 0)]
    [InlineData(new[] { 1.01 }, new[] { true }, 15)]
    [InlineData(new[] { -0.01 }, new[] { true }, 15)]
    [InlineData(new[] { double.NaN }, new[] { true }, 15)]
    public void Of_NonsenseInput_IsRefused(double[] confidences, bool[] correct, int bins) =>
        Assert.ThrowsAny<ArgumentException>(() => ExpectedCalibrationError.Of(confidences, correct, bins));
}
