using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>
/// A request's body, usually JSON, as a parameter of its endpoint. It is read before the endpoint's filters: see <see cref="Overload"/>.
/// </summary>
/// <param name="Bytes">The whole body, without a byte order mark; empty when it is refused.</param>
/// <param name="Refusal">The refusal, a 413 or 415; null when the body is accepted.</param>
internal sealed record PostedBody(ReadOnlyMemory<byte> Bytes, ProblemHttpResult? Refusal)
{
    /// <summary>Largest accepted body in bytes, a hundred times the longest sensible spec.</summary>
    public const int LargestBody = 64 << 10;

    /// <summary>
    /// Largest body that Kestrel reads, in bytes. The API reads and drops a body between the two limits, because a client whose
    /// connection is cut while it sends seldom receives the answer.
    /// </summary>
    public const int LargestDropped = 32 << 20;

    public static ValueTask<PostedBody> BindAsync(HttpContext context) => ReadAsync(context, context.Request.HasJsonContentType());

    /// <param name="isKnownType">Whether the endpoint reads bodies of the request's media type.</param>
    public static async ValueTask<PostedBody> ReadAsync(HttpContext context, bool isKnownType)
    {
        var request = context.Request;
        var (kept, length) = (new MemoryStream(), 0L);
        var buffer = new byte[16 << 10];
        for (int read; (read = await request.Body.ReadAsync(buffer, context.RequestAborted)) > 0; )
            if ((length += read) <= LargestBody)
                kept.Write(buffer, 0, read);
        if (!isKnownType)
            return new(default, Problems.Refused(StatusCodes.Status415UnsupportedMediaType));
        if (length > LargestBody)
            return new(default, Problems.Refused(StatusCodes.Status413PayloadTooLarge));
        return new(WithoutByteOrderMark(kept.ToArray()), null);
    }

    /// <summary>Some Windows editors and shells write a byte order mark before UTF-8. RFC 8259 lets a reader ignore it.</summary>
    private static ReadOnlyMemory<byte> WithoutByteOrderMark(ReadOnlyMemory<byte> body) =>
        body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body;
}
