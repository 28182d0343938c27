namespace Temper.Worker.Datasets;

/// <summary>A data set that its authors published as files.</summary>
internal abstract class PublishedDataset(DatasetFolder folder)
{
    public DatasetFolder Folder => folder;

    /// <param name="files">Of <see cref="Folder"/>.</param>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public abstract Dataset Read(IReadOnlyList<FoundFile> files, CancellationToken stop);

    /// <exception cref="DatasetUnavailableException">The files are neither here nor to be had.</exception>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public Dataset Load(CancellationToken stop) => Read(folder.Fetch(stop), stop);
}
