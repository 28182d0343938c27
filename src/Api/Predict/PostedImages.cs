using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Net.Http.Headers;
using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Api.Onnx;

namespace Temper.Api.Predict;

/// <summary>
/// Images that a client sent, before they are read. Like <see cref="PostedBody"/>, the body is received before the endpoint's
/// filters. The bodies that are in memory together are bounded.
/// </summary>
/// <param name="Refusal">Null when the body is accepted.</param>
internal sealed record PostedImages(MemoryStream Body, MediaTypeHeaderValue? Type, ProblemHttpResult? Refusal)
{
    public const string Json = "application/json",
        Npz = "application/octet-stream",
        Form = "multipart/form-data",
        Png = "image/png",
        Jpeg = "image/jpeg";

    /// <summary>Largest body in bytes. 1,000 images of 64×64 pixels in colour have 12 MB as npz.</summary>
    public const int LargestBody = 24 << 20;

    /// <summary>Bodies of all requests together, in bytes.</summary>
    private const long LargestTogether = 192L << 20;

    private const int RetryAfterSeconds = 1;

    private static readonly string[] Types = [Json, Npz, Png, Jpeg, Form];

    private static long together;

    public static async ValueTask<PostedImages> BindAsync(HttpContext context)
    {
        var request = context.Request;
        MediaTypeHeaderValue.TryParse(request.ContentType, out var type);
        var isKnown = Types.Contains(type?.MediaType.Value, StringComparer.OrdinalIgnoreCase);
        var (body, length, isFull) = (new MemoryStream(), 0L, false);
        var buffer = new byte[64 << 10];
        try
        {
            // What is refused is received all the same: a client whose connection is cut while it sends seldom receives the answer.
            for (int read; (read = await request.Body.ReadAsync(buffer, context.RequestAborted)) > 0; )
            {
                length += read;
                if (!isKnown || isFull || length > LargestBody)
                    continue;
                if (isFull = !TryReserve(context, read))
                    body.SetLength(0);
                else
                    body.Write(buffer, 0, read);
            }
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            length = long.MaxValue; // Kestrel receives no more
        }
        var refusal =
            !isKnown ? Refused(StatusCodes.Status415UnsupportedMediaType, "content-type", $"must be one of {string.Join(", ", Types)}")
            : length > LargestBody ? Refused(StatusCodes.Status413PayloadTooLarge, "body", $"must be at most {LargestBody} bytes")
            : isFull
                ? Problems.TryLater(
                    context,
                    RetryAfterSeconds,
                    StatusCodes.Status503ServiceUnavailable,
                    "Too many images are being received.",
                    $"The images of all requests together may take {LargestTogether >> 20} MiB. Try again."
                )
            : null;
        return new(body, type, refusal);
    }

    /// <exception cref="WrongBodyException">The body does not hold images of this shape.</exception>
    public async Task<ImageBatch> ReadAsync(ImageShape shape, CancellationToken cancellation)
    {
        var batch = new ImageBatch(shape);
        var bytes = Body.GetBuffer().AsMemory(0, (int)Body.Length);
        Body.Position = 0;
        switch (Type!.MediaType.Value!.ToLowerInvariant()) // not null: it was checked
        {
            case Json:
                JsonImages.Read(bytes.Span, batch);
                break;
            case Npz:
                NpzImages.Read(Body, batch);
                break;
            case Form:
                if (HeaderUtilities.RemoveQuotes(Type.Boundary) is not { Length: > 0 and <= 70 } boundary)
                    throw new WrongBodyException("content-type", "must have a boundary of 1 to 70 characters");
                await FileImages.ReadAsync(Body, boundary.ToString(), batch, cancellation);
                break;
            default:
                FileImages.Read(bytes.Span, batch);
                break;
        }
        return batch.Count > 0 ? batch : throw new WrongBodyException("images", "must be at least one");
    }

    /// <summary>Reserves memory until the request ends.</summary>
    private static bool TryReserve(HttpContext context, int bytes)
    {
        if (Interlocked.Add(ref together, bytes) > LargestTogether)
        {
            Interlocked.Add(ref together, -bytes);
            return false;
        }
        if (context.Items.TryGetValue(typeof(PostedImages), out var before))
        {
            ((Reservation)before!).Bytes += bytes;
            return true;
        }
        var reservation = new Reservation { Bytes = bytes };
        context.Items[typeof(PostedImages)] = reservation;
        context.Response.RegisterForDispose(reservation);
        return true;
    }

    private static ProblemHttpResult Refused(int status, string part, string sentence) =>
        TypedResults.Problem(
            new HttpValidationProblemDetails(new Dictionary<string, string[]> { [part] = [sentence] }) { Status = status }
        );

    private sealed class Reservation : IDisposable
    {
        public long Bytes { get; set; }

        public void Dispose()
        {
            Interlocked.Add(ref together, -Bytes);
            Bytes = 0;
        }
    }
}
