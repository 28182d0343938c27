using Temper.Domain.Datasets;
using Temper.Domain.Jobs;

namespace Temper.Worker.Training.Models;

internal static class ModelFactory
{
    private const int UsualWidth = 16;

    private const double GaussianDeviation = 0.03;

    private static readonly int[] UsualWidths = [1200, 1200];

    /// <summary>Creates a model for the data set's images. libtorch's seeded CPU generator draws its weights.</summary>
    public static Module<Tensor, Tensor> Create(JobSpec spec, DatasetCard dataset) =>
        spec.Model switch
        {
            ModelName.Cnn => new Cnn(dataset.Channels, dataset.Height, dataset.Width, dataset.Classes),
            ModelName.Resnet20 => new ResNet(20, spec.Width ?? UsualWidth, dataset.Channels, dataset.Classes),
            ModelName.Resnet56 => new ResNet(56, spec.Width ?? UsualWidth, dataset.Channels, dataset.Classes),
            ModelName.Mlp => new Mlp(
                (long)dataset.Channels * dataset.Height * dataset.Width,
                spec.Widths ?? UsualWidths,
                dataset.Classes,
                spec.Dropout,
                spec.Initialization == InitializationName.Gaussian ? GaussianDeviation : null
            ),
            ModelName.Lenet5 => new LeNet5(dataset.Channels, dataset.Height, dataset.Width, dataset.Classes),
            _ => throw new ArgumentOutOfRangeException(nameof(spec), spec.Model, "No such model."),
        };
}
