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

    [Fact]
    public void Create_AnMlpWithDropoutAndGaussianWeights_DropsInTrainingOnlyAndHasTheirDeviation()
    {
        using var scope = NewDisposeScope();
        var model = ModelFactory.Create(
            new JobSpec
            {
                Dataset = "mnist",
                Epsilon = 0,
                Epochs = 1,
                Model = ModelName.Mlp,
                Widths = [400],
                Dropout = 0.5,
                Initialization = InitializationName.Gaussian,
            },
            DatasetCatalog.Find("mnist")!
        );
        var images_NCHW = torch.ones(2, 1, 28, 28);

        Assert.All(
            model.named_parameters().Where(one => one.name.EndsWith("weight")),
            one => Assert.Equal(0.03, one.parameter.std().ToDouble(), 0.002)
        );
        Assert.All(
            model.named_parameters().Where(one => one.name.EndsWith("bias")),
            one => Assert.Equal(0, one.parameter.abs().max().ToDouble())
        );
        Assert.False(model.call(images_NCHW).equal(model.call(images_NCHW)).all().ToBoolean());
        model.eval();
        Assert.True(model.call(images_NCHW).equal(model.call(images_NCHW)).all().ToBoolean());
    }

    public static TheoryData<ModelName, int, int, int, int> Shapes =>
        new()
        {
            { ModelName.Cnn, 1, 4, 4, 2 },
            { ModelName.Cnn, 3, 45, 27, 37 },
            { ModelName.Cnn, 1, 256, 5, 1000 },
            { ModelName.Resnet20, 1, 4, 4, 2 },
            { ModelName.Resnet20, 3, 45, 27, 37 },
            { ModelName.Mlp, 3, 45, 27, 37 },
            { ModelName.Lenet5, 1, 16, 16, 2 },
            { ModelName.Lenet5, 3, 45, 27, 37 },
            { ModelName.Lenet5, 1, 64, 64, 37 },
        };

    /// <summary>Trains a step with the kernels on each shape that an uploaded data set may have.</summary>
    [Theory, MemberData(nameof(Shapes))]
    public void Create_ForAnyShape_GivesFiniteLogitsAndGradients(ModelName name, int channels, int height, int width, int classes)
    {
        using var scope = NewDisposeScope();
        var spec = new JobSpec
        {
            Dataset = "any@1",
            Epsilon = 0.1,
            Epochs = 1,
            Model = name,
            Data = new("", classes, channels, height, width, 100, 0, 10),
        };
        Assert.Empty(JobSpecRule.BrokenBy(spec));
        var model = ModelFactory.Create(spec, spec.DatasetCard()!);
        var images_NCHW = torch.rand([3, height, width, channels]).permute(0, 3, 1, 2); // channels last, as batches are

        var logits = model.call(images_NCHW);
        Fused.CrossEntropy(logits, torch.tensor(new long[] { 0, 1, classes - 1 }), 0.1).backward();

        Assert.Equal([3, classes], logits.shape);
        Assert.True(logits.isfinite().all().ToBoolean());
        Assert.All(model.parameters(), parameter => Assert.True(parameter.grad is { } grad && grad.isfinite().all().ToBoolean()));
    }
}
