using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Temper.Domain.Serialization;

namespace Temper.Domain.Datasets;

/// <summary>
/// The format in which an uploaded data set is stored, hashed and sent to workers. A file has the signature, the length of the
/// header as int32, the header as JSON, the label of each image as uint16, and each image as C×H×W bytes. Numbers are
/// little-endian; the training images come first, then those for validation, then those for the test.
/// </summary>
public static class DatasetFile
{
    /// <summary>Largest header in bytes: 1,000 class names of 64 ordinary characters fit it several times.</summary>
    public const int LargestHeader = 1 << 20;

    private static readonly byte[] Signature = Encoding.ASCII.GetBytes("temper dataset 1");

    /// <summary>Bytes before the header.</summary>
    public static int PrefixLength => Signature.Length + sizeof(int);

    /// <summary>The bytes from the signature to the end of the header.</summary>
    public static byte[] Begin(DatasetHeader header)
    {
        var json = Encoding.UTF8.GetBytes(Json.Write(header));
        var length = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, json.Length);
        return [.. Signature, .. length, .. json];
    }

    /// <param name="prefix">The first <see cref="PrefixLength"/> bytes of a file.</param>
    /// <returns>The length of the header in bytes.</returns>
    /// <exception cref="InvalidDataException">The file has another format.</exception>
    public static int HeaderLength(ReadOnlySpan<byte> prefix) =>
        prefix.StartsWith(Signature)
        && BinaryPrimitives.ReadInt32LittleEndian(prefix[Signature.Length..]) is > 0 and <= LargestHeader and var length
            ? length
            : throw new InvalidDataException("It is no data set of this format.");

    /// <exception cref="InvalidDataException">The bytes are no header.</exception>
    public static DatasetHeader ReadHeader(ReadOnlySpan<byte> json)
    {
        try
        {
            return Json.Read<DatasetHeader>(Encoding.UTF8.GetString(json));
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("Its header is damaged.", e);
        }
    }
}

/// <summary>What the labels and pixels of a data set's file mean.</summary>
/// <param name="ClassNames">A name for each class, in the order of the labels.</param>
/// <param name="Train">Number of training images.</param>
/// <param name="Validation">Number of images of the validation part; 0 when it has none.</param>
/// <param name="Test">Number of test images.</param>
public sealed record DatasetHeader(
    int Channels,
    int Height,
    int Width,
    IReadOnlyList<string> ClassNames,
    int Train,
    int Validation,
    int Test
)
{
    /// <summary>Bytes of one image. A method like the two below, because JSON has each property.</summary>
    public int CountImageBytes() => Channels * Height * Width;

    public int CountImages() => Train + Validation + Test;

    /// <summary>Length of the file in bytes.</summary>
    public long CountFileBytes() => DatasetFile.Begin(this).Length + CountImages() * (long)(sizeof(ushort) + CountImageBytes());

    public DatasetContent Content(string sha256) => new(sha256, ClassNames.Count, Channels, Height, Width, Train, Validation, Test);
}
