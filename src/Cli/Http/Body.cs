using Temper.Domain;

namespace Temper.Cli.Http;

/// <summary>
/// The body of an answer. A read throws <see cref="UnreachableException"/> when the connection breaks, or when no byte comes for a
/// minute: the other end may be gone without a word. A stream of events has a heartbeat every 15 s.
/// </summary>
internal sealed class Body : ForwardStream
{
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(60);

    private readonly Stream bytes;

    private Body(Stream bytes) => this.bytes = bytes;

    public static async Task<Body> OfAsync(HttpResponseMessage answer, CancellationToken cancellation) =>
        new(await answer.Content.ReadAsStreamAsync(cancellation));

    public static async Task<string> TextOfAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        using var text = new StreamReader(await OfAsync(answer, cancellation));
        return await text.ReadToEndAsync(cancellation);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation = default)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        silence.CancelAfter(LongestSilence);
        try
        {
            return await bytes.ReadAsync(buffer, silence.Token);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new UnreachableException($"The answer broke off: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new UnreachableException($"The answer stopped: nothing came for {LongestSilence.TotalSeconds} s.", e);
        }
    }

    public override int Read(Span<byte> buffer) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            bytes.Dispose();
        base.Dispose(disposing);
    }
}
