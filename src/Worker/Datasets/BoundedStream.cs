namespace Temper.Worker.Datasets;

/// <summary>Limits how many bytes a reader unpacks, because a small file may unpack to terabytes.</summary>
internal sealed class BoundedStream(Stream inner, long limit, CancellationToken stop) : Stream
{
    private long sum;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <exception cref="InvalidDataException">The content exceeds the limit.</exception>
    /// <exception cref="OperationCanceledException">The caller asked for a stop.</exception>
    public override int Read(Span<byte> buffer)
    {
        stop.ThrowIfCancellationRequested();
        var read = inner.Read(buffer);
        sum += read;
        return sum <= limit ? read : throw new InvalidDataException($"it unpacks to more than {limit} bytes");
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
