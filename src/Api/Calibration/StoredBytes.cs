using System.Buffers;

namespace Temper.Api.Calibration;

/// <summary>A column of a model as a stream. One piece of 64 KiB is in memory. It supports only asynchronous reads.</summary>
internal sealed class StoredBytes(StoredModels models, Guid job, string column, long length) : Stream
{
    private const int PieceLength = 64 << 10;

    private byte[]? piece;
    private long start;
    private int filled;

    public override long Length => length;

    public override long Position { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (Position >= length || buffer.IsEmpty)
            return 0;
        if (Position < start || Position >= start + filled)
            await FillAsync(cancellationToken);
        var from = (int)(Position - start);
        var count = Math.Min(buffer.Length, filled - from);
        piece.AsSpan(from, count).CopyTo(buffer.Span);
        Position += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) =>
        Position =
            offset
            + origin switch
            {
                SeekOrigin.Begin => 0,
                SeekOrigin.Current => Position,
                _ => length,
            };

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() { }

    protected override void Dispose(bool disposing)
    {
        if (piece is not null)
            ArrayPool<byte>.Shared.Return(piece);
        piece = null;
        base.Dispose(disposing);
    }

    private async Task FillAsync(CancellationToken cancellation)
    {
        piece ??= ArrayPool<byte>.Shared.Rent(PieceLength);
        (start, filled) = (Position, 0);
        var wanted = (int)Math.Min(PieceLength, length - Position);
        await models.ReadAsync(job, column, Position, piece.AsMemory(0, wanted), cancellation);
        filled = wanted;
    }
}
