using Temper.Worker.Datasets.Digits;

namespace Temper.Worker.Datasets;

/// <summary>
/// Loads data sets by name and keeps the last one, as long as its files stay as they were: a runner's next job is often on the same.
/// </summary>
/// <param name="tell">Told how far a download is.</param>
internal sealed class DatasetLoader(WorkerOptions options, Action<string> tell)
{
    private Loaded? last;

    /// <exception cref="DatasetUnavailableException">The files are neither here nor to be had.</exception>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public Dataset Load(string name, CancellationToken stop)
    {
        var published = Published(name);
        if (last?.Dataset.Card.Name == name && (published is null || published.Folder.Locate()?.SequenceEqual(last.Files) == true))
            return last.Dataset;
        last = null; // Two sets at once could be too much for the machine.
        // Sizes and times are taken before the files are read, so that what changes during that is read again for the next job.
        var files = published?.Folder.Fetch(stop) ?? [];
        last = new(published?.Read(files, stop) ?? DigitsDataset.Draw(), files);
        return last.Dataset;
    }

    /// <returns>Null for the set that is drawn.</returns>
    private PublishedDataset? Published(string name) =>
        name switch
        {
            DigitsDataset.Name => null,
            "cifar10" => CifarDataset.Cifar10(options, tell),
            "cifar100" => CifarDataset.Cifar100(options, tell),
            _ => new IdxDataset(PublishedFiles.All.Single(files => files.Dataset == name), options, tell),
        };

    private sealed record Loaded(Dataset Dataset, IReadOnlyList<FoundFile> Files);
}
