using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Unit.Fixtures;
using Temper.Unit.Kernels;
using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

[Collection(AloneCollection.Name)]
public sealed class LossFunctionTests : KernelTest
{
    private sealed record Case(int Classes, int Spread, int Salt, long[] Labels, Setting Settings, double Mean, double[] Gradient);

    private sealed record Setting(
        string Loss,
        string? GammaSchedule,
        double? Gamma,
        double? Beta,
        double? Margin,
        double? Weight,
        double? Epsilon
    );

    [Fact]
    public void Mean_OfEachLoss_MatchesPyTorchInValueAndGradient()
    {
        var cases = Fixture.Read<Case>("losses.json");
        Assert.Equal(65, cases.Length);
        foreach (var c in cases)
        {
            var logits = Array.ConvertAll(Fixture.Values(c.Labels.Length * c.Classes, c.Salt), value => (float)(value * 2 * c.Spread));
            var (mean, gradient) = MeanOf(LossOf(c.Settings, c.Classes), logits, c.Labels, c.Classes);

            Assert.Equal(c.Mean, mean, 2e-6 * Math.Max(1, Math.Abs(c.Mean)));
            for (var i = 0; i < gradient.Length; i++)
                Assert.Equal(c.Gradient[i], gradient[i], 2e-6 * Math.Max(1, Math.Abs(c.Gradient[i])));
        }
    }

    /// <summary>At p = 1 the derivative of (1 − p)^γ has no bound for γ below 1.</summary>
    [Theory]
    [InlineData(0.01)]
    [InlineData(0.5)]
    [InlineData(1.0)]
    public void Mean_OfFocalAtACertainRightAnswer_HasAGradientOfZero(double gamma)
    {
        var (mean, gradient) = MeanOf(LossOf(new("focal", null, gamma, null, null, null, null), 3), [200, 0, 0], [0], 3);

        Assert.Equal(0, mean);
        Assert.Equal([0f, 0f, 0f], gradient);
    }

    private static (double Mean, float[] Gradient) MeanOf(TrainingLoss loss, float[] logits, long[] labels, int classes)
    {
        var logits_NK = torch.tensor(logits, [labels.Length, classes]).requires_grad_();
        var mean = LossFunction.Mean(loss, logits_NK, torch.tensor(labels, [labels.Length]));
        Gradients.Compute(mean);
        return (mean.ToDouble(), Read(logits_NK.grad));
    }

    private static TrainingLoss LossOf(Setting setting, int classes)
    {
        var spec = new JobSpec
        {
            Dataset = $"digits:classes={classes}",
            Epsilon = setting.Epsilon ?? 0,
            Epochs = 1,
            Loss = Enum.Parse<LossName>(setting.Loss, ignoreCase: true),
            GammaSchedule = setting.GammaSchedule is null ? GammaScheduleName.Constant : GammaScheduleName.Flsd53,
            Gamma = setting.Gamma,
            Beta = setting.Beta,
            Margin = setting.Margin,
            Weight = setting.Weight,
        };
        Assert.Empty(JobSpecRule.BrokenBy(spec));
        return spec.TrainingLoss();
    }
}
