using Temper.Domain.Calibration;

namespace Temper.Unit.Domain.Calibration;

public class LabelledLogitsTests
{
    [Theory]
    [InlineData(new[] { 0f, 1 }, new[] { 2 }, 2)]
    [InlineData(new[] { 0f, 1 }, new[] { -1 }, 2)]
    [InlineData(new[] { 0f, float.NaN }, new[] { 0 }, 2)]
    [InlineData(new[] { 0f, float.PositiveInfinity }, new[] { 0 }, 2)]
    [InlineData(new[] { 0f, 1, 2 }, new[] { 0 }, 2)]
    [InlineData(new float[0], new int[0], 2)]
    [InlineData(new[] { 0f }, new[] { 0 }, 1)]
    public void Constructor_NonsenseInput_IsRefused(float[] logits, int[] labels, int classes) =>
        Assert.ThrowsAny<ArgumentException>(() => new LabelledLogits(logits, labels, classes));
}
