using Temper.Domain.Jobs;
using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

public class LearningRateTests
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0,
        Epochs = 4,
        LearningRate = 0.2,
    };

    [Fact]
    public void Of_Constant_StaysWhereItStarts() =>
        Assert.Equal([0.2, 0.2, 0.2, 0.2], Enumerable.Range(1, 4).Select(epoch => LearningRate.Of(Spec, epoch)));

    [Fact]
    public void Of_Step_IsATenthFromHalfOnAndAHundredthFromThreeQuarters()
    {
        var rates = Enumerable
            .Range(1, 8)
            .Select(epoch => LearningRate.Of(Spec with { Epochs = 8, Schedule = ScheduleName.Step }, epoch))
            .ToArray();

        double[] expected = [0.2, 0.2, 0.2, 0.2, 0.02, 0.02, 0.002, 0.002];
        for (var i = 0; i < 8; i++)
            Assert.Equal(expected[i], rates[i], 1e-15);
    }

    [Fact]
    public void Of_WarmUp_RisesInEqualStepsToTheSchedule()
    {
        var rates = Enumerable.Range(1, 4).Select(epoch => LearningRate.Of(Spec with { WarmupEpochs = 3 }, epoch)).ToArray();

        double[] expected = [0.05, 0.1, 0.15, 0.2];
        for (var i = 0; i < 4; i++)
            Assert.Equal(expected[i], rates[i], 1e-15);
    }

    [Fact]
    public void Of_Cosine_FallsFromTheStartTowardsZero()
    {
        var rates = Enumerable.Range(1, 4).Select(epoch => LearningRate.Of(Spec with { Schedule = ScheduleName.Cosine }, epoch)).ToArray();

        double[] expected = [0.2, 0.1 * (1 + Math.Sqrt(0.5)), 0.1, 0.1 * (1 - Math.Sqrt(0.5))];
        for (var i = 0; i < 4; i++)
            Assert.Equal(expected[i], rates[i], 1e-15);
    }

    [Fact]
    public void Of_Linear_FallsInEqualStepsTowardsZero()
    {
        var rates = Enumerable.Range(1, 4).Select(epoch => LearningRate.Of(Spec with { Schedule = ScheduleName.Linear }, epoch)).ToArray();

        double[] expected = [0.2, 0.15, 0.1, 0.05];
        for (var i = 0; i < 4; i++)
            Assert.Equal(expected[i], rates[i], 1e-15);
    }
}
