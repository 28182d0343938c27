using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>
/// A request's JSON body as a parameter of its endpoint. It is read before the endpoint's filters run: see <see cref="Overload"/>.
/// </summary>
/// <param name="Bytes">The whole body, without a byte order mark; empty where it is refused.</param>
/// <param name="Refusal">Why it is refused, with 413 or 415; null where it is not.</param>
internal sealed record PostedBody(ReadOnlyMemory<byte> Bytes, ProblemHttpResult? Refusal)
{
    /// <summary>A hundred times the longest sensible spec, in bytes.</summary>
    public const int LargestBody = 64 << 10;

    /// <summary>
    /// What Kestrel lets through, in bytes. Between the two limits the rest is read and dropped, because a client that is
    /// cut off while it still sends seldom gets to see the answer.
    /// </summary>
    public const int LargestDropped = 32 << 20;

    public static async ValueTask<PostedBody> BindAsync(HttpContext context)
    {
        var request = context.Request;
        var (kept, length) = (new MemoryStream(), 0L);
        var buffer = new byte[16 << 10];
        for (int read; (read = await request.Body.ReadAsync(buffer, context.RequestAborted)) > 0; )
            if ((length += read) <= LargestBody)
                kept.Write(buffer, 0, read);
        if (!request.HasJsonContentType())
            return new(default, Problems.Refused(StatusCodes.Status415UnsupportedMediaType));
        if (length > LargestBody)
            return new(default, Problems.Refused(StatusCodes.Status413PayloadTooLarge));
        return new(WithoutByteOrderMark(kept.ToArray()), null);
    }

    /// <summary>Some editors and shells on Windows put one before UTF-8; RFC 8259 lets a reader ignore it.</summary>
    private static ReadOnlyMemory<byte> WithoutByteOrderMark(ReadOnlyMemory<byte> body) =>
        body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body;
}
