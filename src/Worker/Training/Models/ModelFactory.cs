using Temper.Domain.Datasets;
using Temper.Domain.Jobs;

namespace Temper.Worker.Training.Models;

internal static class ModelFactory
{
    private const int UsualWidth = 16;

    /// <summary>A model for the data set's images, its weights drawn from libtorch's seeded CPU generator.</summary>
    public static Module<Tensor, Tensor> Create(JobSpec spec, DatasetCard dataset) => spec.Model switch
    {
        ModelName.Cnn => new Cnn(dataset.Channels, dataset.Height, dataset.Width, dataset.Classes),
        ModelName.Resnet20 => new ResNet(20, spec.Width ?? UsualWidth, dataset.Channels, dataset.Classes),
        ModelName.Resnet56 => new ResNet(56, spec.Width ?? UsualWidth, dataset.Channels, dataset.Classes),
        _ => throw new ArgumentOutOfRangeException(nameof(spec), spec.Model, "No such model."),
    };
}
