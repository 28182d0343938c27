using Temper.Domain.Datasets;
using Temper.Domain.Jobs;

namespace Temper.Worker.Training.Models;

internal static class ModelFactory
{
    /// <summary>A model for the data set's images, its weights drawn from libtorch's seeded CPU generator.</summary>
    public static Module<Tensor, Tensor> Create(ModelName model, DatasetCard dataset) => model switch
    {
        ModelName.Cnn => new Cnn(dataset.Channels, dataset.Height, dataset.Width, dataset.Classes),
        _ => throw new ArgumentOutOfRangeException(nameof(model), model, "No such model."),
    };
}
