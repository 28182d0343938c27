using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Worker.Training.Models;

namespace Temper.Unit.Worker.Training;

public class ModelFactoryTests
{
    /// <summary>
    /// An MLP has 784·w₁ + w₁ + w₁·w₂ + w₂ + w₂·10 + 10 parameters. The counts of LeNet-5 are for layers that each see all of the
    /// previous one.
    /// </summary>
    [Theory]
    [InlineData("mnist", ModelName.Cnn, null, 421_642)]
    [InlineData("mnist", ModelName.Mlp, null, 2_395_210)]
    [InlineData("mnist", ModelName.Mlp, new[] { 1024, 1024 }, 1_863_690)]
    [InlineData("cifar10", ModelName.Mlp, new[] { 7 }, 21_591)]
    [InlineData("mnist", ModelName.Lenet5, null, 61_706)]
    [InlineData("cifar100", ModelName.Lenet5, null, 69_656)]
    public void Create_AModel_HasItsParametersAndGivesALogitPerClass(string dataset, ModelName name, int[]? widths, long parameters)
    {
        using var scope = NewDisposeScope();
        var card = DatasetCatalog.Find(dataset)!;

        var model = ModelFactory.Create(
            new JobSpec
            {
                Dataset = dataset,
                Epsilon = 0,
                Epochs = 1,
                Model = name,
                Widths = widths,
            },
            card
        );

        Assert.Equal(parameters, model.parameters().Sum(parameter => parameter.numel()));
        var images_NCHW = torch.tensor(
            new float[2 * card.Channels * card.Height * card.Width],
            [2, card.Channels, card.Height, card.Width]
        );
        Assert.Equal([2, card.Classes], model.call(images_NCHW).shape);
    }
}
