using Temper.Domain.Datasets;
using Temper.Worker.Datasets.Digits;

namespace Temper.Worker.Datasets;

/// <summary>
/// Loads data sets by name. It keeps the last one while its files do not change, because a runner's next job often uses the same
/// set.
/// </summary>
/// <param name="tell">Called with the progress of a download.</param>
internal sealed class DatasetLoader(WorkerOptions options, Action<string> tell)
{
    private Loaded? last;

    /// <exception cref="DatasetUnavailableException">
    /// The files are neither on this machine nor can they be downloaded.
    /// </exception>
    /// <exception cref="InvalidDataException">A file has the wrong format or is damaged.</exception>
    /// <param name="uploaded">The content of an uploaded set, whose file the supervisor fetched; null for other sets.</param>
    public Dataset Load(string name, CancellationToken stop, DatasetContent? uploaded = null)
    {
        if (uploaded is not null)
            return LoadUploaded(name, uploaded, stop);
        var published = Published(name);
        if (last?.Dataset.Card.Name == name && (published is null || published.Folder.Locate()?.SequenceEqual(last.Files) == true))
            return last.Dataset;
        last = null; // Two sets at once could exceed the machine's memory.
        // Fetch notes sizes and times before Read reads the files, so the next job reads a file again that changes meanwhile.
        var files = published?.Folder.Fetch(stop) ?? [];
        last = new(published?.Read(files, stop) ?? DigitsDataset.Draw(DrawnDigits.Read(name)!, stop), files);
        return last.Dataset;
    }

    /// <summary>Drops the set, which may have gigabytes.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Drop()
    {
        var wasLoaded = last is not null;
        last = null;
        return wasLoaded;
    }

    private Dataset LoadUploaded(string name, DatasetContent content, CancellationToken stop)
    {
        if (last?.Dataset.ContentSha256 == content.Sha256 && last.Dataset.Card.Name == name)
            return last.Dataset;
        last = null;
        last = new(UploadedFile.Read(name, content, options, stop), []);
        return last.Dataset;
    }

    /// <returns>Null for the set that Temper draws itself.</returns>
    private PublishedDataset? Published(string name) =>
        name switch
        {
            _ when DrawnDigits.Read(name) is not null => null,
            "cifar10" => CifarDataset.Cifar10(options, tell),
            "cifar100" => CifarDataset.Cifar100(options, tell),
            _ => new IdxDataset(PublishedFiles.All.Single(files => files.Dataset == name), options, tell),
        };

    private sealed record Loaded(Dataset Dataset, IReadOnlyList<FoundFile> Files);
}
