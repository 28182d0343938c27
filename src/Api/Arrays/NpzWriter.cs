using System.IO.Compression;
using System.Text;

namespace Temper.Api.Arrays;

/// <summary>Writes NumPy's npz format: an uncompressed zip with one npy file for each array.</summary>
/// <remarks>https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html</remarks>
internal static class NpzWriter
{
    /// <summary>A fixed date, so that the same arrays give the same bytes.</summary>
    private static readonly DateTimeOffset NoDate = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <param name="to">The stream to write to; it need not be seekable.</param>
    /// <param name="count">N, the number of images.</param>
    /// <param name="classes">K, the number of classes.</param>
    /// <param name="logits">N×K float32, little-endian.</param>
    /// <param name="labels">N int32, little-endian.</param>
    public static async Task WriteAsync(Stream to, int count, int classes, Stream logits, Stream labels, CancellationToken cancellation)
    {
        var file = new Asynchronous(to);
        await using var zip = await ZipArchive.CreateAsync(
            file,
            ZipArchiveMode.Create,
            leaveOpen: true,
            entryNameEncoding: null,
            cancellation
        );
        await AddAsync(zip, "logits", "<f4", $"({count}, {classes})", logits, cancellation);
        await AddAsync(zip, "labels", "<i4", $"({count},)", labels, cancellation);
    }

    private static async Task AddAsync(
        ZipArchive zip,
        string name,
        string type,
        string shape,
        Stream values,
        CancellationToken cancellation
    )
    {
        var entry = zip.CreateEntry($"{name}.npy", CompressionLevel.NoCompression);
        entry.LastWriteTime = NoDate;
        await using var npy = await entry.OpenAsync(cancellation);
        await npy.WriteAsync(Header($"{{'descr': '{type}', 'fortran_order': False, 'shape': {shape}, }}"), cancellation);
        await values.CopyToAsync(npy, cancellation);
    }

    /// <summary>Writes an npy header, version 1.0. It is padded so that the numbers start at a multiple of 64 bytes.</summary>
    private static byte[] Header(string description)
    {
        const int prefix = 10;
        var padded = (prefix + description.Length + 1 + 63) / 64 * 64 - prefix;
        return
        [
            0x93,
            .. "NUMPY"u8,
            1,
            0,
            (byte)padded,
            (byte)(padded >> 8),
            .. Encoding.ASCII.GetBytes(description.PadRight(padded - 1)),
            (byte)'\n',
        ];
    }

    /// <summary>
    /// Turns synchronous writes into asynchronous ones. ZipArchive writes an entry's last 16 bytes synchronously, which Kestrel
    /// refuses because a slow reader would block the thread. This stream keeps these bytes until the next asynchronous write.
    /// The directory at the end of the file is always such a write.
    /// </summary>
    private sealed class Asynchronous(Stream to) : Stream
    {
        private readonly MemoryStream kept = new();

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count) => kept.Write(buffer, offset, count);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (kept.Length > 0)
                await to.WriteAsync(kept.ToArray(), cancellationToken);
            kept.SetLength(0);
            await to.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush() { }

        public override Task FlushAsync(CancellationToken cancellationToken) => to.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
