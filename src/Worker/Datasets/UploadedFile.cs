using System.Buffers.Binary;
using System.Security.Cryptography;
using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets;

/// <summary>The file of an uploaded data set on this machine, in <see cref="DatasetFile"/>'s format.</summary>
internal static class UploadedFile
{
    public const string LockSuffix = ".lock";

    private const int PieceLength = 1 << 20;

    /// <summary>The folder of the files. Runners and their supervisor share it.</summary>
    public static string FolderOf(WorkerOptions options) => Path.Combine(options.Home, "data", "uploaded");

    public static string PathOf(WorkerOptions options, DatasetContent content) =>
        Path.Combine(FolderOf(options), $"{content.Sha256}.dataset");

    /// <summary>The lock of a file. Whoever writes, dates or deletes the file holds it.</summary>
    public static string LockOf(string path) => path + LockSuffix;

    /// <summary>
    /// Reads the file and checks its hash. A file with another hash is deleted, so that the next attempt fetches it again.
    /// </summary>
    /// <param name="name">Name and version.</param>
    /// <exception cref="DatasetUnavailableException">There is no file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static Dataset Read(string name, DatasetContent content, WorkerOptions options, CancellationToken stop)
    {
        var path = PathOf(options, content);
        if (FoundFile.At(path) is not { } found)
            throw new DatasetUnavailableException($"The data set {name} is not on this worker: {path} was deleted.");
        using var file = new HashedFile(path, stop);
        try
        {
            var dataset = Read(file, content.Card(name), content);
            if (file.Sha256() == content.Sha256)
                return dataset;
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException) { }
        Delete(found, stop);
        throw new InvalidDataException($"{path} is damaged: its SHA-256 is not that of {name}. It was deleted.");
    }

    /// <summary>Deletes a file, unless a slot has fetched it again or used it since it was found.</summary>
    private static void Delete(FoundFile found, CancellationToken stop)
    {
        using var turn = FileLock.Take(LockOf(found.Path), () => { }, stop);
        if (FoundFile.At(found.Path) == found)
            File.Delete(found.Path);
    }

    private static Dataset Read(HashedFile file, DatasetCard card, DatasetContent content)
    {
        var prefix = new byte[DatasetFile.PrefixLength];
        file.Read(prefix);
        var json = new byte[DatasetFile.HeaderLength(prefix)];
        file.Read(json);
        if (DatasetFile.ReadHeader(json).Content(content.Sha256) != content)
            throw new InvalidDataException("The header is that of another data set.");
        var train = content.TrainImages + content.ValidationImages;
        var labels = Labels(file, train);
        var testLabels = Labels(file, content.TestImages);
        return new(card, Images(file, content, labels), Images(file, content, testLabels), []) { ContentSha256 = content.Sha256 };
    }

    private static ushort[] Labels(HashedFile file, int count)
    {
        var bytes = new byte[count * sizeof(ushort)];
        file.Read(bytes);
        var labels = new ushort[count];
        for (var i = 0; i < count; i++)
            labels[i] = BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(i * sizeof(ushort)));
        return labels;
    }

    private static LabelledImages Images(HashedFile file, DatasetContent content, ushort[] labels)
    {
        var pixels = new byte[labels.Length * (long)content.CountImageBytes()];
        file.Read(pixels);
        return new(pixels, labels);
    }

    /// <summary>A file that is read once from its beginning to its end.</summary>
    private sealed class HashedFile(string path, CancellationToken stop) : IDisposable
    {
        private readonly FileStream file = File.OpenRead(path);
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        /// <exception cref="EndOfStreamException">The file ends before.</exception>
        public void Read(Span<byte> all)
        {
            for (var rest = all; rest.Length > 0; )
            {
                stop.ThrowIfCancellationRequested();
                var piece = rest[..Math.Min(rest.Length, PieceLength)];
                file.ReadExactly(piece);
                hash.AppendData(piece);
                rest = rest[piece.Length..];
            }
        }

        /// <returns>SHA-256, lower-case hex; empty when the file goes on after what was read.</returns>
        public string Sha256() => file.ReadByte() >= 0 ? "" : Convert.ToHexStringLower(hash.GetHashAndReset());

        public void Dispose()
        {
            file.Dispose();
            hash.Dispose();
        }
    }
}
