using Temper.Domain.Calibration;

namespace Temper.Unit.Domain.Calibration;

public class TemperatureFitTests
{
    [Fact]
    public void On_TwoClassesKnownShare_FindsTheTemperatureByHand()
    {
        // The logit gap is 4 everywhere and 3 of 4 are correct: the loss is least where σ(4/T) = ¾, at T = 4 / ln 3.
        var fit = TemperatureFit.On(new([4, 0, 4, 0, 4, 0, 4, 0], [0, 0, 0, 1], 2));

        Assert.Equal(4 / Math.Log(3), fit.Temperature, 1e-9);
        Assert.Equal(-0.75 * Math.Log(0.75) - 0.25 * Math.Log(0.25), fit.NllAfter, 1e-12);
        Assert.Null(fit.Note);
    }

    [Theory]
    [InlineData(new[] { 1f, 0, 0, 1 }, new[] { 0, 1 }, 0.91023922662683744, "half a mistake among them")] // 2σ(−1/T) = ½ at T = 1/ln 3
    // The model as trained expects .095 mistakes, which is already less than half a mistake, so T stays 1.
    [InlineData(new[] { 3f, 0, 0, 3 }, new[] { 0, 1 }, 1, "T stays 1")]
    // The model expects half a mistake only at a temperature below the smallest allowed.
    [InlineData(new[] { 1e-4f, 0, 0, 1e-4f }, new[] { 0, 1 }, TemperatureFit.Smallest, "Every validation image is right")]
    [InlineData(new[] { 300f, 0, 0, 300 }, new[] { 0, 1 }, 1, "Every validation image is right")] // the slope underflows at one bound
    [InlineData(new[] { 1e30f, 0, 0, 1e30f }, new[] { 0, 1 }, 1, "Every validation image is right")] // underflow at both bounds
    [InlineData(new[] { 1f, 1, 1, 0 }, new[] { 0, 0 }, 1, "T stays 1")] // the tie between the top classes remains at every T
    // Every image is wrong: T → ∞.
    [InlineData(new[] { 1f, 0, 0, 1 }, new[] { 1, 0 }, TemperatureFit.Largest, "say nothing of the labels, or the contrary")]
    [InlineData(new[] { 1e30f, 0, 0, 1e30f }, new[] { 1, 0 }, TemperatureFit.Largest, "say nothing of the labels, or the contrary")]
    [InlineData(new[] { 3f, 3, -2, -2 }, new[] { 1, 0 }, 1, "all equal")] // nothing to scale
    public void On_NoOrdinaryMinimum_StandsAtABoundAndSaysWhy(float[] logits, int[] labels, double expected, string why)
    {
        var fit = TemperatureFit.On(new(logits, labels, 2));

        Assert.Equal(expected, fit.Temperature, 1e-12);
        Assert.Contains(why, fit.Note);
        Assert.True(fit.NllAfter <= fit.NllBefore);
    }

    [Theory]
    [InlineData(1e-4f)]
    [InlineData(1e4f)]
    public void On_ExtremeScales_StaysWithinItsBounds(float scale)
    {
        var fit = TemperatureFit.On(new([4 * scale, 0, 4 * scale, 0, 4 * scale, 0, 4 * scale, 0], [0, 0, 0, 1], 2));

        Assert.Equal(scale > 1 ? TemperatureFit.Largest : TemperatureFit.Smallest, fit.Temperature, 1e-12);
        Assert.Contains(scale > 1 ? "far apart" : "close together", fit.Note);
    }

    /// <summary>
    /// Half a mistake among N is Jeffreys' estimate when no mistake was seen: with more images the model may become more
    /// confident.
    /// </summary>
    [Theory]
    [InlineData(10)]
    [InlineData(400)]
    [InlineData(6000)]
    public void On_ImagesThatAreAllRight_AllowsTheConfidenceThatSoManyCanShow(int images)
    {
        var validation = new LabelledLogits(
            [.. Enumerable.Range(0, images).SelectMany(i => new[] { 1 + i % 3, 0f, -1f })],
            new int[images],
            3
        );

        var fit = TemperatureFit.On(validation);

        Assert.Equal(1 - 0.5 / images, Predictions.Of(validation, fit.Temperature).Confidences.Average(), 1e-9);
        Assert.True(fit.NllAfter < fit.NllBefore);
    }
}
