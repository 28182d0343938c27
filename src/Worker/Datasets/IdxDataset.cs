using System.Security.Cryptography;
using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets;

/// <summary>Data sets in MNIST's file format: from the user's data folder, else from the cache, else downloaded.</summary>
/// <param name="tell">Told how far a download is.</param>
internal sealed class IdxDataset(PublishedFiles published, WorkerOptions options, Action<string> tell)
{
    private readonly DatasetCard card = DatasetCatalog.Find(published.Dataset) ?? throw new ArgumentException($"'{published.Dataset}' is not in the catalog.");
    private readonly List<string> notes = [];

    /// <exception cref="DatasetUnavailableException">The files are neither here nor to be had.</exception>
    /// <exception cref="InvalidDataException">A file is not what it should be.</exception>
    public Dataset Load(CancellationToken stop)
    {
        var train = Images(published.TrainImages, published.TrainLabels, stop);
        var test = Images(published.TestImages, published.TestLabels, stop);
        return new(card, train, test, notes);
    }

    private LabelledImages Images(PublishedFile imagesFile, PublishedFile labelsFile, CancellationToken stop)
    {
        var pixels = Read(imagesFile, [card.Height, card.Width], stop);
        var labels = Read(labelsFile, [], stop);
        var images = pixels.Length / (card.Height * card.Width);
        if (labels.Length != images) throw new InvalidDataException($"{card.Name}: {imagesFile.Name} has {images} images, {labelsFile.Name} {labels.Length} labels.");
        if (images < 2) throw new InvalidDataException($"{card.Name}: {imagesFile.Name} has {images} images; training and validation need one each.");
        if (labels.Any(label => label >= card.Classes)) throw new InvalidDataException($"{card.Name}: {labelsFile.Name} has labels above {card.Classes - 1}.");
        return new(pixels, labels);
    }

    private byte[] Read(PublishedFile file, ReadOnlySpan<int> shape, CancellationToken stop)
    {
        var path = Find(file, stop);
        var data = Idx.Read(path, shape, out var contentMd5);
        // The user's own folder is the user's word: taken, but the result says when it is not the published file.
        if ((file.HashOf == HashOf.Content ? contentMd5 : FileMd5(path)) != file.Md5)
            notes.Add($"{path} is not the published {card.Name} file: its MD5 differs from {file.Md5}.");
        return data;
    }

    private string Find(PublishedFile file, CancellationToken stop)
    {
        if (options.DataFolder is not null && Path.Combine(options.DataFolder, card.Name, file.Name) is var own && File.Exists(own)) return own;

        var cached = Path.Combine(options.Home, "data", card.Name, file.Name);
        if (File.Exists(cached) && IsPublished(file, cached, stop)) return cached;

        var mirrors = options.Mirror is null ? published.Mirrors : [new Uri($"{options.Mirror.TrimEnd('/')}/{card.Name}/"), .. published.Mirrors];
        var sources = mirrors.Select(mirror => new Uri(mirror, file.Name)).ToArray();
        return Download.ToFile(sources, cached, TimeSpan.FromSeconds(options.DownloadStallSeconds), path => IsPublished(file, path, stop), tell, stop) is { } errors
            ? throw new DatasetUnavailableException(
                $"The data set {card.Name} is not on this worker and could not be downloaded ({errors}). " +
                $"Put {string.Join(", ", published.Files.Select(f => f.Name))} into {options.DataFolder ?? "$TEMPER_DATA"}/{card.Name}/ on the worker, " +
                "or set Worker__Mirror to a base URL that it can reach.")
            : cached;
    }

    private static bool IsPublished(PublishedFile file, string path, CancellationToken stop)
    {
        try
        {
            return (file.HashOf == HashOf.Content ? Idx.ContentMd5(path, stop) : FileMd5(path)) == file.Md5;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private static string FileMd5(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(MD5.HashData(file));
    }
}
