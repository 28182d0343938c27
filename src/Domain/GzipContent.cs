using System.Buffers.Binary;
using System.IO.Compression;

namespace Temper.Domain;

/// <summary>
/// The content of a gzip file, checked to its end. GZipStream checks the CRC-32 of a complete file; it also accepts a file that is cut
/// off, and one with other bytes after its end.
/// </summary>
/// <remarks>
/// RFC 1952: the last 4 bytes of a file are the length of the content modulo 2³². It accepts only one gzip member.
/// </remarks>
public sealed class GzipContent : ForwardStream
{
    private readonly PackedBytes packed;
    private readonly GZipStream unpacked;
    private uint length;

    /// <param name="file">The packed bytes. They are read once, and disposed with this stream.</param>
    public GzipContent(Stream file)
    {
        packed = new(file);
        unpacked = new(packed, CompressionMode.Decompress);
    }

    /// <summary>Whether a file with these first bytes is a gzip file.</summary>
    public static bool IsGzip(ReadOnlySpan<byte> start) => start is [0x1F, 0x8B, ..];

    /// <exception cref="InvalidDataException">The file is damaged, cut off or has more after its end.</exception>
    public override int Read(Span<byte> buffer)
    {
        int read;
        try
        {
            read = unpacked.Read(buffer);
        }
        catch (InvalidDataException e)
        {
            throw Damaged(e);
        }
        length += (uint)read;
        var isAtEnd = read == 0 && buffer.Length > 0;
        if (isAtEnd && (packed.ReadByte() >= 0 || packed.LastWord != length))
            throw Damaged(null);
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            unpacked.Dispose();
        base.Dispose(disposing);
    }

    private static InvalidDataException Damaged(Exception? cause) =>
        new("it is damaged: it does not unpack to what its checksum says; copy or download it again", cause);

    /// <summary>Keeps the last 4 bytes that were read.</summary>
    private sealed class PackedBytes(Stream file) : ForwardStream
    {
        private readonly byte[] last = new byte[sizeof(uint)];

        public uint LastWord => BinaryPrimitives.ReadUInt32LittleEndian(last);

        public override int Read(Span<byte> buffer)
        {
            var read = file.Read(buffer);
            var kept = Math.Min(read, last.Length);
            last.AsSpan(kept).CopyTo(last);
            buffer[(read - kept)..read].CopyTo(last.AsSpan(last.Length - kept));
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                file.Dispose();
            base.Dispose(disposing);
        }
    }
}
