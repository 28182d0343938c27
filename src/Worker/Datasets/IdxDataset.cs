using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets;

/// <summary>Data sets in MNIST's file format.</summary>
/// <param name="tell">Told how far a download is.</param>
internal sealed class IdxDataset(PublishedFiles published, WorkerOptions options, Action<string> tell)
{
    private readonly DatasetCard card = DatasetCatalog.Find(published.Dataset) ?? throw new ArgumentException($"'{published.Dataset}' is not in the catalog.");
    private readonly DatasetFolder folder = new(published.Dataset, published.Mirrors, published.Files, options, tell);
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
        var path = folder.Find(file, stop);
        var data = Idx.Read(path, shape, out var contentMd5);
        // The user's own folder is the user's word: taken, but the result says when it is not the published file.
        if ((file.HashOf == HashOf.Content ? contentMd5 : PublishedFile.Md5Of(path)) != file.Md5)
            notes.Add($"{path} is not the published {card.Name} file: its MD5 differs from {file.Md5}.");
        return data;
    }
}
