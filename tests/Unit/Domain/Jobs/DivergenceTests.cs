using Temper.Domain.Jobs;

namespace Temper.Unit.Domain.Jobs;

public class DivergenceTests
{
    [Theory]
    [InlineData(0.099, 8e16, 10, "diverged")] // resnet56 with sgd at a rate of 10
    [InlineData(0.5, 23.03, 10, "diverged")] // just above 10 ln 10
    [InlineData(0.5, 23.02, 10, null)]
    [InlineData(0.5, 23.03, 100, null)]
    [InlineData(0.099, 2.4, 10, "below chance")]
    [InlineData(0.1, 2.303, 10, null)] // guesses, but no worse
    [InlineData(0.02, 4.0, 100, null)]
    public void NoteOn_WorseThanChanceOrAHugeLoss_SaysSo(double accuracy, double loss, int classes, string? expected)
    {
        var note = Divergence.NoteOn(accuracy, loss, classes);

        if (expected is null)
            Assert.Null(note);
        else
            Assert.Contains(expected, note);
    }
}
