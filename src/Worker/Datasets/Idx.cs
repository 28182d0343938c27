using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Temper.Worker.Datasets;

/// <summary>
/// Reads IDX files of unsigned bytes, packed by gzip or not. Such a file has 0, 0, type 8, number of dimensions, each dimension
/// as big-endian int32, and the data.
/// </summary>
internal static class Idx
{
    /// <summary>
    /// Largest accepted content, 200,000 images of 28×28: far above every published set, but harmless in memory.
    /// </summary>
    private const int LargestContent = 200_000 * 28 * 28;

    private const int LargestHeader = 16;

    /// <summary>Reads and checks one file. It checks the sizes before it unpacks data into memory.</summary>
    /// <param name="imageShape">The dimensions after the first: [28, 28] for images, [] for labels.</param>
    /// <param name="contentMd5">MD5 of the unpacked file, lower-case hex.</param>
    /// <param name="isPacked">Whether the file is a gzip file.</param>
    /// <exception cref="InvalidDataException">
    /// The file has another format or is damaged. The message names the file and the defect.
    /// </exception>
    public static byte[] Read(string path, ReadOnlySpan<int> imageShape, out string contentMd5, out bool isPacked)
    {
        try
        {
            using var content = UnpackedFile.Open(path, out isPacked);
            var header = new byte[4 + 4 * (1 + imageShape.Length)];
            content.ReadExactly(header);
            var data = new byte[SizeOf(header, imageShape)];
            content.ReadExactly(data);
            if (content.ReadByte() >= 0)
                throw new InvalidDataException("it goes on after the data its header announces");

            using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
            md5.AppendData(header);
            md5.AppendData(data);
            contentMd5 = Convert.ToHexStringLower(md5.GetHashAndReset());
            return data;
        }
        catch (EndOfStreamException e)
        {
            throw Unusable(path, "it is damaged: it ends before the data its header announces", e);
        }
        catch (InvalidDataException e)
        {
            throw Unusable(path, e.Message, e);
        }
    }

    /// <summary>MD5 of the unpacked file, lower-case hex.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or unpacks to more than any data set has.</exception>
    public static string ContentMd5(string path, CancellationToken stop)
    {
        using var file = UnpackedFile.Open(path, out _);
        using var content = new BoundedStream(file, LargestContent + LargestHeader, stop);
        return Convert.ToHexStringLower(MD5.HashData(content));
    }

    private static int SizeOf(ReadOnlySpan<byte> header, ReadOnlySpan<int> imageShape)
    {
        if (header is not [0, 0, 8, ..])
            throw new InvalidDataException("it does not begin as a file of unsigned bytes, packed by gzip or not");
        if (header[3] != 1 + imageShape.Length)
            throw new InvalidDataException($"it has {header[3]} dimensions, not {1 + imageShape.Length}");
        var size = (long)BinaryPrimitives.ReadInt32BigEndian(header[4..]);
        for (var i = 0; i < imageShape.Length; i++)
        {
            var dimension = BinaryPrimitives.ReadInt32BigEndian(header[(8 + 4 * i)..]);
            if (dimension != imageShape[i])
                throw new InvalidDataException($"dimension {i + 2} is {dimension}, not {imageShape[i]}");
            size *= dimension;
        }
        return size is > 0 and <= LargestContent
            ? (int)size
            : throw new InvalidDataException($"it announces {size} bytes; 1 to {LargestContent} are accepted");
    }

    private static InvalidDataException Unusable(string path, string why, Exception cause) =>
        new($"{path} is not an IDX file of the expected shape: {why}.", cause);
}
