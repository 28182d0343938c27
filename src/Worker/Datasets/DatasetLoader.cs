using Temper.Worker.Datasets.Digits;

namespace Temper.Worker.Datasets;

/// <summary>Loads data sets by name and keeps the last one: a runner's next job is often on the same.</summary>
/// <param name="tell">Told how far a download is.</param>
internal sealed class DatasetLoader(WorkerOptions options, Action<string> tell)
{
    private Dataset? last;

    /// <exception cref="DatasetUnavailableException">The files are neither here nor to be had.</exception>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public Dataset Load(string name, CancellationToken stop)
    {
        if (last?.Card.Name != name)
        {
            last = null; // Two sets at once could be too much for the machine.
            last = name switch
            {
                DigitsDataset.Name => DigitsDataset.Draw(),
                "cifar10" => CifarDataset.Cifar10(options, tell).Load(stop),
                "cifar100" => CifarDataset.Cifar100(options, tell).Load(stop),
                _ => new IdxDataset(PublishedFiles.All.Single(files => files.Dataset == name), options, tell).Load(stop),
            };
        }
        return last;
    }
}
