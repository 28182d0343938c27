namespace Temper.Worker.Datasets;

/// <summary>Where the files of a data set are found: in the user's data folder, else in the cache, else on a mirror.</summary>
/// <param name="mirrors">Base URLs, tried in order.</param>
/// <param name="all">Every file of the set, for those who have to put them there by hand.</param>
/// <param name="tell">Told how far a download is.</param>
internal sealed class DatasetFolder(string dataset, IReadOnlyList<Uri> mirrors, IEnumerable<PublishedFile> all, WorkerOptions options, Action<string> tell)
{
    /// <returns>A path. The user's own file is taken as it is; others are what was published.</returns>
    /// <exception cref="DatasetUnavailableException">The file is neither here nor to be had.</exception>
    public string Find(PublishedFile file, CancellationToken stop)
    {
        if (options.DataFolder is not null && Path.Combine(options.DataFolder, dataset, file.Name) is var own && File.Exists(own)) return own;

        var cached = Path.Combine(options.Home, "data", dataset, file.Name);
        if (File.Exists(cached) && file.Is(cached, stop)) return cached;

        var bases = options.Mirror is null ? mirrors : [new Uri($"{options.Mirror.TrimEnd('/')}/{dataset}/"), .. mirrors];
        var sources = bases.Select(mirror => new Uri(mirror, file.Name)).ToArray();
        return Download.ToFile(sources, cached, TimeSpan.FromSeconds(options.DownloadStallSeconds), path => file.Is(path, stop), tell, stop) is { } errors
            ? throw new DatasetUnavailableException(
                $"The data set {dataset} is not on this worker and could not be downloaded ({errors}). " +
                $"Put {string.Join(", ", all.Select(f => f.Name))} into {options.DataFolder ?? "$TEMPER_DATA"}/{dataset}/ on the worker, " +
                "or set Worker__Mirror to a base URL that it can reach.")
            : cached;
    }
}
