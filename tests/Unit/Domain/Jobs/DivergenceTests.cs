using Temper.Domain.Jobs;

namespace Temper.Unit.Domain.Jobs;

public class DivergenceTests
{
    [Theory]
    [InlineData(0.099, 8e16, 10, "diverged")] // resnet56 with sgd at a rate of 10
    [InlineData(0.5, 23.03, 10, "diverged")] // just above 10 ln 10
    [InlineData(0.5, 23.02, 10, null)]
    [InlineData(0.5, 23.03, 100, null)]
    [InlineData(0.08, 2.4, 10, "below chance")]
    [InlineData(0.096, 2.4, 10, null)] // with 2,000 images chance alone may give this
    [InlineData(0.02, 4.0, 100, null)]
    public void NoteOn_WorseThanChanceOrAHugeLoss_SaysSo(double accuracy, double loss, int classes, string? expected)
    {
        var note = Divergence.NoteOn(accuracy, loss, images: 2000, classes, labelNoise: 0);

        if (expected is null)
            Assert.Null(note);
        else
            Assert.Contains(expected, note);
    }

    /// <summary>
    /// With this much noise the true class is the least likely target, so a model that learns it scores below chance.
    /// </summary>
    [Theory]
    [InlineData(0.89, true)]
    [InlineData(0.95, false)]
    public void IsWorseThanChance_UnderLabelNoise_AsksWhetherTheTrueClassIsTheLikeliest(double labelNoise, bool expected) =>
        Assert.Equal(expected, Divergence.IsWorseThanChance(0.01, 2000, 10, labelNoise));
}
