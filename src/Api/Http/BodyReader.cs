using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

internal static class BodyReader
{
    /// <summary>A hundred times the longest sensible spec, in bytes.</summary>
    public const int LargestBody = 64 << 10;

    /// <summary>
    /// What Kestrel lets through, in bytes. Between the two limits the rest is read and dropped, because a client that is
    /// cut off while it still sends seldom gets to see the answer.
    /// </summary>
    public const int LargestDropped = 32 << 20;

    /// <returns>The whole JSON body; or why it is refused, with 413 or 415.</returns>
    public static async Task<(ReadOnlyMemory<byte> Body, ProblemHttpResult? Refusal)> ReadAsync(HttpRequest request, CancellationToken cancellation)
    {
        if (!request.HasJsonContentType()) return (default, Problems.Refused(StatusCodes.Status415UnsupportedMediaType));
        var (kept, length) = (new MemoryStream(), 0L);
        var buffer = new byte[16 << 10];
        for (int read; (read = await request.Body.ReadAsync(buffer, cancellation)) > 0;)
            if ((length += read) <= LargestBody) kept.Write(buffer, 0, read);
        return length <= LargestBody ? (kept.ToArray(), null) : (default, Problems.Refused(StatusCodes.Status413PayloadTooLarge));
    }
}
