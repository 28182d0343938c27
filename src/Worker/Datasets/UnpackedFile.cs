using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using Temper.Domain;

namespace Temper.Worker.Datasets;

/// <summary>
/// The content of a file, packed by gzip or not. For a packed file it checks what GZipStream does not check: that the file is
/// complete and that nothing follows its end.
/// </summary>
/// <remarks>
/// RFC 1952: the last 8 bytes are the CRC-32 and the length modulo 2³² of the content. It accepts only one gzip member.
/// </remarks>
internal sealed class UnpackedFile : ForwardStream
{
    private const int TrailerLength = 8;

    private readonly FileStream file;
    private readonly GZipStream? packed;
    private readonly Crc32 crc = new();
    private readonly uint expectedCrc,
        expectedLength;
    private uint length;

    /// <exception cref="IOException">The file cannot be read.</exception>
    public UnpackedFile(string path)
    {
        file = File.OpenRead(path);
        if (file.ReadByte() == 0x1F && file.ReadByte() == 0x8B)
        {
            Span<byte> trailer = stackalloc byte[TrailerLength];
            file.Position = Math.Max(0, file.Length - TrailerLength);
            file.ReadAtLeast(trailer, TrailerLength, throwOnEndOfStream: false);
            expectedCrc = BinaryPrimitives.ReadUInt32LittleEndian(trailer);
            expectedLength = BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]);
            packed = new(file, CompressionMode.Decompress);
        }
        file.Position = 0;
    }

    public bool IsPacked => packed is not null;

    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (packed is null)
            return file.Read(buffer);
        int read;
        try
        {
            read = packed.Read(buffer);
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e);
        }
        crc.Append(buffer[..read]);
        length += (uint)read;
        var isAtEnd = read == 0 && buffer.Length > 0;
        if (isAtEnd && (length != expectedLength || crc.GetCurrentHashAsUInt32() != expectedCrc))
            throw Damaged(null);
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            (packed as IDisposable ?? file).Dispose();
        base.Dispose(disposing);
    }

    private static InvalidDataException Damaged(Exception? cause) =>
        new("it is damaged: it does not unpack to what its checksum says; copy or download it again", cause);
}
