namespace Temper.Worker.Datasets;

/// <summary>A data set that its authors published as files.</summary>
internal abstract class PublishedDataset(DatasetFolder folder)
{
    public DatasetFolder Folder => folder;

    /// <param name="files">The files that <see cref="Folder"/> found.</param>
    /// <exception cref="InvalidDataException">A file has the wrong format or is damaged.</exception>
    public abstract Dataset Read(IReadOnlyList<FoundFile> files, CancellationToken stop);

    /// <exception cref="DatasetUnavailableException">
    /// The files are neither on this machine nor can they be downloaded.
    /// </exception>
    /// <exception cref="InvalidDataException">A file has the wrong format or is damaged.</exception>
    public Dataset Load(CancellationToken stop) => Read(folder.Fetch(stop), stop);
}
