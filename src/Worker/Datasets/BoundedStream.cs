using Temper.Domain;

namespace Temper.Worker.Datasets;

/// <summary>Limits how many bytes a reader unpacks, because a small file may unpack to terabytes.</summary>
internal sealed class BoundedStream(Stream inner, long limit, CancellationToken stop) : ForwardStream
{
    private long sum;

    /// <exception cref="InvalidDataException">The content exceeds the limit.</exception>
    /// <exception cref="OperationCanceledException">The caller asked for a stop.</exception>
    public override int Read(Span<byte> buffer)
    {
        stop.ThrowIfCancellationRequested();
        var read = inner.Read(buffer);
        sum += read;
        return sum <= limit ? read : throw new InvalidDataException($"it unpacks to more than {limit} bytes");
    }
}
