using System.Buffers.Binary;
using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Domain;

namespace Temper.Api.Datasets;

/// <summary>A file in MNIST's format, IDX of unsigned bytes, packed by gzip or not.</summary>
/// <param name="Name">The name that the client gave it.</param>
/// <param name="Sent">Number of bytes that the client sent for it.</param>
/// <param name="Open">Opens its bytes, which may be packed by gzip.</param>
/// <remarks>The header is 0, 0, 8, the number of dimensions, and each dimension as big-endian int32.</remarks>
internal sealed record IdxFile(string Name, long Sent, Func<Stream> Open)
{
    public static IdxFile Of(PostedFile posted) => new(WrongBodyException.Shown(posted.Name), posted.Length, posted.Open);

    public static IdxFile Of(Stream zip, ZipMember member)
    {
        var name = WrongBodyException.Shown(member.Name.Split('/')[^1]);
        return new(name, member.Packed, () => new MemberStream(name, zip, member));
    }

    /// <summary>Whether a file of a zip is called as MNIST's files are.</summary>
    public static bool IsOne(ZipMember member) =>
        member.Name.Contains("-ubyte", StringComparison.Ordinal) || member.Name.Contains(".idx", StringComparison.Ordinal);

    public bool IsForTest => Name.StartsWith("t10k-", StringComparison.Ordinal) || Name.StartsWith("test-", StringComparison.Ordinal);

    /// <returns>The dimensions that the header has.</returns>
    /// <exception cref="WrongBodyException">It is no such file.</exception>
    public int[] ReadShape()
    {
        using var content = new IdxContent(this);
        return content.Shape;
    }

    /// <summary>A part of a zip file as a stream.</summary>
    private sealed class MemberStream(string name, Stream zip, ZipMember member) : ForwardStream
    {
        private readonly NpzStream bytes = new(name, zip, member);
        private long left = member.Size;

        public override int Read(Span<byte> buffer)
        {
            buffer = buffer[..(int)Math.Min(buffer.Length, left)];
            if (!buffer.IsEmpty)
                bytes.Read(buffer);
            left -= buffer.Length;
            return buffer.Length;
        }

        protected override void Dispose(bool disposing)
        {
            bytes.Dispose();
            base.Dispose(disposing);
        }
    }
}

/// <summary>The content of an IDX file, from the first byte after the header on.</summary>
internal sealed class IdxContent : IDisposable
{
    private readonly IdxFile file;
    private readonly Stream content;
    private long left;

    /// <exception cref="WrongBodyException">It is no such file.</exception>
    public IdxContent(IdxFile file)
    {
        this.file = file;
        content = Unpacked(file);
        try
        {
            Shape = ReadShape();
        }
        catch
        {
            content.Dispose();
            throw;
        }
        left = Shape.Any(size => size < 1) ? 0 : Shape.Aggregate(1L, (product, size) => Math.Min(product, int.MaxValue) * size);
    }

    public int[] Shape { get; }

    /// <summary>Fills the buffer. After the last byte it checks that nothing follows.</summary>
    /// <exception cref="WrongBodyException">The file is truncated, damaged or too long.</exception>
    public void Read(Span<byte> buffer)
    {
        Fill(buffer);
        if ((left -= buffer.Length) == 0 && Fill(stackalloc byte[1], isEnd: true) > 0)
            throw new WrongBodyException(file.Name, "goes on after the data that its header announces");
    }

    public void Dispose() => content.Dispose();

    private int[] ReadShape()
    {
        Span<byte> start = stackalloc byte[4];
        Fill(start);
        if (!FileKind.IsIdx(start))
            throw new WrongBodyException(file.Name, "is no IDX file of unsigned bytes with one or three dimensions");
        var dimensions = new byte[sizeof(int) * start[3]];
        Fill(dimensions);
        return [.. dimensions.Chunk(sizeof(int)).Select(dimension => BinaryPrimitives.ReadInt32BigEndian(dimension))];
    }

    private int Fill(Span<byte> buffer, bool isEnd = false)
    {
        int read;
        try
        {
            read = content.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException)
        {
            throw new WrongBodyException(file.Name, "is damaged or truncated: it does not unpack to what its checksum says");
        }
        return read == buffer.Length || isEnd ? read : throw new WrongBodyException(file.Name, "is truncated");
    }

    private static Stream Unpacked(IdxFile file)
    {
        Span<byte> start = stackalloc byte[2];
        using (var look = file.Open())
            look.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        return GzipContent.IsGzip(start) ? new GzipContent(file.Open()) : file.Open();
    }
}
