using Temper.Domain.Jobs;
using Temper.Worker.Training;
using Temper.Worker.Training.Models;

namespace Temper.Unit.Worker.Training;

[Collection(AloneCollection.Name)]
public class BestEpochTests
{
    [Theory]
    [InlineData(new[] { 0.5, 0.3, 0.4 }, 2)]
    [InlineData(new[] { 0.5, 0.3, 0.3 }, 2)] // of equal ones the earliest
    [InlineData(new[] { 0.3, 0.3 }, 1)]
    [InlineData(new[] { 0.5, double.NaN, 0.4 }, 3)]
    public void After_SeveralEpochs_IsTheFirstWithTheLowestLoss(double[] losses, int expected) =>
        Assert.Equal(expected, After([.. losses])!.Epoch);

    [Fact]
    public void After_EpochsWithoutALoss_LeavesThemOut()
    {
        Assert.Null(After(null, null));
        Assert.Equal(2, After(null, 0.5, null)!.Epoch);
    }

    [Fact]
    public void LossBy_EachWord_IsTheFigureThatItNames()
    {
        var epoch = new EpochMetrics(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400, 0.18);

        Assert.Null(epoch.LossBy(KeepName.Last));
        Assert.Equal(0.2, epoch.LossBy(KeepName.Nll));
        Assert.Equal(0.18, epoch.LossBy(KeepName.NllAfterTemperature));
    }

    [Fact]
    public void Restore_ModelWithBatchNorm_HasTheBuffersToo()
    {
        using var scope = NewDisposeScope();
        var spec = new JobSpec
        {
            Dataset = "digits",
            Epsilon = 0,
            Epochs = 1,
            Model = ModelName.Resnet20,
            Width = 8,
        };
        using var model = ModelFactory.Create(spec, spec.DatasetCard()!);
        model.call(torch.rand(4, 1, 28, 28)); // changes the means and variances
        var sha = Safetensors.Sha256(model);
        var best = BestEpoch.After(null, 1, 0.5, model)!;
        model.call(torch.rand(4, 1, 28, 28));
        using var restored = ModelFactory.Create(spec, spec.DatasetCard()!);

        best.Restore(restored);

        Assert.Equal(sha, Safetensors.Sha256(restored));
        Assert.NotEqual(sha, Safetensors.Sha256(model));
    }

    private static BestEpoch? After(params double?[] losses)
    {
        using var model = torch.nn.Linear(1, 1);
        BestEpoch? best = null;
        for (var i = 0; i < losses.Length; i++)
            best = BestEpoch.After(best, i + 1, losses[i], model);
        return best;
    }
}
