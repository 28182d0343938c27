using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Temper.Api.Http;

/// <summary>A file that a request sent. It lies on the disk, without a name, until the request ends.</summary>
/// <param name="name">The name that the client gave it; empty for the body itself. It is never used as a path.</param>
/// <param name="disk">The temporary file with all files of the request.</param>
/// <param name="start">Where this file begins in it.</param>
internal sealed class PostedFile(string name, SafeFileHandle disk, long start, long length)
{
    public string Name => name;

    public long Length => length;

    /// <returns>A seekable stream with a position of its own.</returns>
    public Stream Open() => new Section(disk, start, length);

    /// <summary>For a file that an endpoint's rule bounds to what fits into memory.</summary>
    public byte[] ReadAll()
    {
        var bytes = new byte[length];
        using var from = Open();
        from.ReadExactly(bytes);
        return bytes;
    }

    /// <returns>SHA-256 of the file, lower-case hex.</returns>
    public async Task<string> Sha256Async(CancellationToken cancellation)
    {
        await using var from = Open();
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(from, cancellation));
    }

    private sealed class Section(SafeFileHandle disk, long start, long length) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => true;
        public override bool CanWrite => false;
        public override long Length => length;
        public override long Position { get; set; }

        public override int Read(Span<byte> buffer)
        {
            var read = RandomAccess.Read(disk, buffer[..(int)Math.Clamp(length - Position, 0, buffer.Length)], start + Position);
            Position += read;
            return read;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override long Seek(long offset, SeekOrigin origin) =>
            Position = origin switch
            {
                SeekOrigin.Begin => offset,
                SeekOrigin.Current => Position + offset,
                _ => length + offset,
            };

        public override void Flush() { }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
