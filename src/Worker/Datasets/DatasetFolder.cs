namespace Temper.Worker.Datasets;

/// <summary>
/// Finds the files of a data set: in the user's data folder, else in the cache, else on a mirror. All files of a set come from
/// one of these places.
/// </summary>
/// <param name="mirrors">Base URLs, tried in order.</param>
/// <param name="files">Every file of the set.</param>
/// <param name="tell">Called with the progress of a download.</param>
internal sealed class DatasetFolder(
    string dataset,
    IReadOnlyList<Uri> mirrors,
    IReadOnlyList<PublishedFile> files,
    WorkerOptions options,
    Action<string> tell
)
{
    private readonly string cache = Path.Combine(options.Home, "data", dataset);
    private readonly string? own = options.DataFolder is null ? null : Path.Combine(options.DataFolder, dataset);

    /// <summary>Finds where the set is now, without reading its files.</summary>
    /// <returns>The set's files; null if some have to be downloaded.</returns>
    /// <exception cref="DatasetUnavailableException">The user's folder has only a part of the set.</exception>
    public IReadOnlyList<FoundFile>? Locate() => LocateOwn() ?? LocateCached();

    /// <summary>
    /// Downloads missing files. It accepts the user's own files unchecked; other files must match the published MD5.
    /// </summary>
    /// <returns>The set's files.</returns>
    /// <exception cref="DatasetUnavailableException">A file is neither on this machine nor can it be downloaded.</exception>
    public IReadOnlyList<FoundFile> Fetch(CancellationToken stop)
    {
        if (LocateOwn() is { } found)
            return found;
        foreach (var file in files)
            if (!File.Exists(CachePath(file)) || !file.Is(CachePath(file), stop))
                FetchOne(file, stop);
        return LocateCached() ?? throw new DatasetUnavailableException($"Files of {dataset} went away from {cache} while it was fetched.");
    }

    private FoundFile[]? LocateCached() => Whole([.. files.Select(file => FoundFile.At(CachePath(file)))]);

    private FoundFile[]? LocateOwn()
    {
        if (own is null)
            return null;
        FoundFile?[] found = [.. files.Select(file => file.FindIn(own))];
        if (Whole(found) is { } whole)
            return whole;
        // If TEMPER_DATA is the download folder, a part of a set is an incomplete download.
        if (found.All(one => one is null) || own == cache)
            return null;
        var here = found.OfType<FoundFile>().Select(one => Path.GetFileName(one.Path));
        var missing = files.Where((_, i) => found[i] is null).Select(file => file.Name);
        throw new DatasetUnavailableException(
            $"{own} has {string.Join(", ", here)} of the data set {dataset}, but not {string.Join(", ", missing)}. "
                + "A set is taken whole from one place: add what is missing, or take the rest away."
        );
    }

    private void FetchOne(PublishedFile file, CancellationToken stop)
    {
        var bases = options.Mirror is null ? mirrors : [new Uri($"{options.Mirror.TrimEnd('/')}/{dataset}/"), .. mirrors];
        var sources = bases.Select(mirror => new Uri(mirror, file.Name)).ToArray();
        var stall = TimeSpan.FromSeconds(options.DownloadStallSeconds);
        if (Download.ToFile(sources, CachePath(file), stall, path => file.Is(path, stop), tell, stop) is { } errors)
            throw new DatasetUnavailableException(
                $"The data set {dataset} is not on this worker and could not be downloaded ({errors}). "
                    + $"Put {string.Join(", ", files.Select(f => f.Name))} into "
                    + $"{options.DataFolder ?? "$TEMPER_DATA"}/{dataset}/ on the worker, "
                    + "or set Worker__Mirror to a base URL that it can reach."
            );
    }

    private string CachePath(PublishedFile file) => Path.Combine(cache, file.Name);

    /// <returns>Null if a file is missing.</returns>
    private static FoundFile[]? Whole(FoundFile?[] found) => found.All(one => one is not null) ? [.. found.OfType<FoundFile>()] : null;
}
