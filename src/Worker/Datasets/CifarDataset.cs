using System.Formats.Tar;
using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets;

/// <summary>
/// CIFAR-10 and CIFAR-100. The binary version is a gzip-packed tar of files of records; a record is one or two labels and 3×32×32
/// bytes. The Python version, which torchvision downloads, has the same data as pickles.
/// </summary>
/// <remarks>https://www.cs.toronto.edu/~kriz/cifar.html</remarks>
/// <param name="archive">The archive of the binary version.</param>
/// <param name="pythonMd5">MD5 of the Python version's archive, which only a user's folder has.</param>
/// <param name="labels">
/// The labels before the pixels, by their names in the Python version. The last one is the class; CIFAR-100 has a coarse label
/// first.
/// </param>
/// <param name="tell">Called with the progress of a download.</param>
internal sealed class CifarDataset(
    string name,
    PublishedFile archive,
    string pythonMd5,
    IReadOnlyList<string> mirrors,
    string[] trainFiles,
    string[] testFiles,
    string[] labels,
    WorkerOptions options,
    Action<string> tell
) : PublishedDataset(new(name, [.. mirrors.Select(mirror => new Uri(mirror))], [archive], options, tell))
{
    private const int LargestFile = 256 << 20,
        LargestArchive = 1 << 30;

    private const string Authors = "https://www.cs.toronto.edu/~kriz/";

    private readonly DatasetCard card = DatasetCatalog.Find(name) ?? throw new ArgumentException($"'{name}' is not in the catalog.");

    public static CifarDataset Cifar10(WorkerOptions options, Action<string> tell) =>
        new(
            "cifar10",
            Archive("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
            "c58f30108f718f92721af3b95e74349a",
            [Authors, "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/"], // second: Swift for TensorFlow
            [.. Enumerable.Range(1, 5).Select(i => $"data_batch_{i}.bin")],
            ["test_batch.bin"],
            ["labels"],
            options,
            tell
        );

    public static CifarDataset Cifar100(WorkerOptions options, Action<string> tell) =>
        new(
            "cifar100",
            Archive("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
            "eb9058c3a382ffc7106e4002c42a8d85",
            [Authors],
            ["train.bin"],
            ["test.bin"],
            ["coarse_labels", "fine_labels"],
            options,
            tell
        );

    private static PublishedFile Archive(string name, string md5) =>
        new(name, md5, HashOf.File) { Names = [name, name.Replace("binary", "python", StringComparison.Ordinal)] };

    public override Dataset Read(IReadOnlyList<FoundFile> files, CancellationToken stop)
    {
        var path = files[0].Path;
        var isPython = Path.GetFileName(path) != archive.Name;
        var unpacked = Unpack(path, isPython, stop);
        var md5 = isPython ? pythonMd5 : archive.Md5;
        string[] notes =
            PublishedFile.Md5Of(path) == md5 ? [] : [$"{path} is not the published {name} archive: its MD5 differs from {md5}."];
        return new(card, Images(path, unpacked, trainFiles), Images(path, unpacked, testFiles), notes);
    }

    /// <summary>Unpacks the required files in memory, from any folder of the archive.</summary>
    /// <param name="isPython">
    /// Whether the archive is the Python version. Its files are converted to the binary version's, whose names end with .bin.
    /// </param>
    private Dictionary<string, byte[]> Unpack(string path, bool isPython, CancellationToken stop)
    {
        var files = new Dictionary<string, byte[]>();
        try
        {
            using var content = UnpackedFile.Open(path, out _);
            using var bounded = new BoundedStream(content, LargestArchive, stop);
            using var tar = new TarReader(bounded);
            while (tar.GetNextEntry() is { } entry)
            {
                stop.ThrowIfCancellationRequested();
                var entryName = Path.GetFileName(entry.Name) + (isPython ? ".bin" : "");
                if (entry.DataStream is null || !(trainFiles.Contains(entryName) || testFiles.Contains(entryName)))
                    continue;
                if (entry.Length > LargestFile)
                    throw new InvalidDataException($"{entryName} has {entry.Length} bytes; at most {LargestFile} are accepted");
                var bytes = new byte[entry.Length];
                entry.DataStream.ReadExactly(bytes);
                files[entryName] = isPython ? CifarPickle.ToRecords(bytes, labels, card.Channels * card.Height * card.Width) : bytes;
            }
            bounded.CopyTo(Stream.Null); // read to the end, where the checksum is
            return files;
        }
        // The reader throws many kinds of exceptions for a broken archive.
        catch (Exception e)
            when (e
                    is EndOfStreamException
                        or not (IOException or OperationCanceledException or UnauthorizedAccessException or OutOfMemoryException)
            )
        {
            throw new InvalidDataException($"{path} is not a gzip-packed tar of CIFAR's files: {e.Message}.", e);
        }
    }

    private LabelledImages Images(string path, Dictionary<string, byte[]> files, string[] names)
    {
        var (pixels, record) = (card.Channels * card.Height * card.Width, labels.Length + card.Channels * card.Height * card.Width);
        if (names.FirstOrDefault(wanted => !files.ContainsKey(wanted)) is { } missing)
            throw new InvalidDataException($"{path} has no {missing}.");
        var parts = Array.ConvertAll(names, wanted => files[wanted]);
        if (Array.FindIndex(parts, part => part.Length == 0 || part.Length % record != 0) is >= 0 and var broken)
            throw new InvalidDataException(
                $"{path}: {names[broken]} has {parts[broken].Length} bytes, which is no number of records of {record}."
            );
        var count = parts.Sum(part => part.Length / record);
        if (count < 2)
            throw new InvalidDataException(
                $"{path}: {string.Join(", ", names)} have {count} images; training and validation need one each."
            );

        var images = new LabelledImages(new byte[count * pixels], new ushort[count]);
        var n = 0;
        foreach (var part in parts)
            for (var start = 0; start < part.Length; start += record, n++)
            {
                images.Labels[n] = part[start + labels.Length - 1];
                part.AsSpan(start + labels.Length, pixels).CopyTo(images.Pixels.AsSpan(n * pixels));
            }
        return images.Labels.All(label => label < card.Classes)
            ? images
            : throw new InvalidDataException($"{path} has labels above {card.Classes - 1}.");
    }
}
