using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets;

/// <summary>Data sets in MNIST's file format.</summary>
/// <param name="tell">Called with the progress of a download.</param>
internal sealed class IdxDataset(PublishedFiles published, WorkerOptions options, Action<string> tell)
    : PublishedDataset(new(published.Dataset, published.Mirrors, published.Files, options, tell))
{
    private readonly DatasetCard card =
        DatasetCatalog.Find(published.Dataset) ?? throw new ArgumentException($"'{published.Dataset}' is not in the catalog.");

    public override Dataset Read(IReadOnlyList<FoundFile> files, CancellationToken stop)
    {
        var notes = new List<string>();
        int[] imageShape = [card.Height, card.Width];
        // In the order of the set's files: images and labels to train on, then to test on.
        var parts = files.Select((file, i) => Read(file.Path, published.Files[i], i % 2 == 0 ? imageShape : [], notes, stop)).ToArray();
        return new(card, Images(files[0], parts[0], files[1], parts[1]), Images(files[2], parts[2], files[3], parts[3]), notes);
    }

    private LabelledImages Images(FoundFile imagesFile, byte[] pixels, FoundFile labelsFile, byte[] labels)
    {
        var images = pixels.Length / (card.Height * card.Width);
        if (labels.Length != images)
            throw new InvalidDataException(
                $"{card.Name}: {imagesFile.Path} has {images} images, {labelsFile.Path} {labels.Length} labels."
            );
        if (images < 2)
            throw new InvalidDataException($"{card.Name}: {imagesFile.Path} has {images} images; training and validation need one each.");
        if (labels.Any(label => label >= card.Classes))
            throw new InvalidDataException($"{card.Name}: {labelsFile.Path} has labels above {card.Classes - 1}.");
        return new(pixels, Array.ConvertAll(labels, label => (ushort)label));
    }

    private byte[] Read(string path, PublishedFile file, int[] shape, List<string> notes, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        var data = Idx.Read(path, shape, out var contentMd5, out var isPacked);
        // A file from the user's folder is accepted, but the result notes if it is not the published file.
        if (file.HashOf == HashOf.File && !isPacked)
            notes.Add($"{path} is unpacked: whether it is the published {card.Name} file is not known.");
        else if ((file.HashOf == HashOf.Content ? contentMd5 : PublishedFile.Md5Of(path)) != file.Md5)
            notes.Add($"{path} is not the published {card.Name} file: its MD5 differs from {file.Md5}.");
        return data;
    }
}
