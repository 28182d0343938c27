using System.Security.Cryptography;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Temper.Api.Http;

/// <summary>
/// The file that a request sends, as its body or as the part of a form that has a file name. It is a parameter of its endpoint and
/// is read before the endpoint's filters: see <see cref="Overload"/>. It lies on the disk, not in memory, without a name and only
/// until the request ends.
/// </summary>
internal sealed class PostedFile : IDisposable
{
    private const int LargestField = 4 << 10,
        MostParts = 8;

    public const string RawType = "application/octet-stream",
        FormType = "multipart/form-data";

    private FileStream? content;

    /// <summary>The file; use it only without a refusal. Its position may be anywhere.</summary>
    public Stream Content => content!;

    /// <summary>SHA-256 of the file, in hexadecimal digits.</summary>
    public string Sha256 { get; private set; } = "";

    /// <summary>The other fields of the form, by name; empty when the file is the body.</summary>
    public Dictionary<string, string> Fields { get; } = [];

    /// <summary>A refusal: 400, 413, 415, 429 or 503; null when the file was read.</summary>
    public ProblemHttpResult? Refusal { get; private set; }

    public static async ValueTask<PostedFile> BindAsync(HttpContext context)
    {
        var file = new PostedFile();
        context.Response.RegisterForDispose(file);
        file.Refusal = await file.ReadAsync(context, context.RequestServices.GetRequiredService<Uploads>());
        return file;
    }

    public void Dispose() => content?.Dispose();

    private async Task<ProblemHttpResult?> ReadAsync(HttpContext context, Uploads uploads)
    {
        var request = context.Request;
        _ = MediaTypeHeaderValue.TryParse(request.ContentType, out var type);
        var isForm = type?.MediaType.Equals(FormType, StringComparison.OrdinalIgnoreCase) == true;
        if (!isForm && type?.MediaType.Equals(RawType, StringComparison.OrdinalIgnoreCase) != true)
            return Wrong(StatusCodes.Status415UnsupportedMediaType, "content-type", $"must be {RawType} or {FormType}");
        // A little more is read and dropped: a client whose connection is cut while it sends seldom receives the answer.
        var most = uploads.LargestBytes + PostedBody.LargestDropped;
        if (request.ContentLength > most)
            return TooLarge(uploads);
        if (!uploads.TryTakePlace(context))
            return Uploads.NoPlace(context);
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = most;
        try
        {
            return isForm
                ? await ReadFormAsync(request, type!, uploads, context.RequestAborted)
                : await CopyAsync(request.Body, uploads, context.RequestAborted);
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return TooLarge(uploads);
        }
        catch (FullDiskException)
        {
            return Problems.TryLater(
                context,
                seconds: 30,
                StatusCodes.Status503ServiceUnavailable,
                "The file cannot be kept.",
                "The API cannot write temporary files; their disk may be full. Try again later."
            );
        }
    }

    private async Task<ProblemHttpResult?> ReadFormAsync(
        HttpRequest request,
        MediaTypeHeaderValue type,
        Uploads uploads,
        CancellationToken cancellation
    )
    {
        if (HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 and <= 70 } boundary)
            return Wrong(StatusCodes.Status400BadRequest, "content-type", "must name the boundary of the form");
        try
        {
            var form = new MultipartReader(boundary, request.Body);
            var (isRead, parts) = (false, 0);
            while (await form.ReadNextSectionAsync(cancellation) is { } part)
            {
                if (++parts > MostParts)
                    return Wrong(StatusCodes.Status400BadRequest, "body", $"must have at most {MostParts} parts");
                if (
                    part.GetContentDispositionHeader() is not { } disposition
                    || !disposition.IsFormDisposition() && !disposition.IsFileDisposition()
                )
                    return Wrong(StatusCodes.Status400BadRequest, "body", "must have form-data parts only");
                if (!disposition.IsFileDisposition())
                {
                    if (await ReadFieldAsync(part, $"{HeaderUtilities.RemoveQuotes(disposition.Name)}", cancellation) is { } wrongField)
                        return wrongField;
                }
                else if (isRead)
                    return Wrong(StatusCodes.Status400BadRequest, "body", "must have one file");
                else if (await CopyAsync(part.Body, uploads, cancellation) is { } refusal)
                    return refusal;
                else
                    isRead = true;
            }
            return isRead
                ? null
                : Wrong(StatusCodes.Status400BadRequest, "body", "must have a part with a file name, such as curl -F file=@FILE");
        }
        catch (Exception e) when (e is InvalidDataException or IOException and not BadHttpRequestException)
        {
            return Wrong(StatusCodes.Status400BadRequest, "body", "is no complete form of multipart/form-data");
        }
    }

    private async Task<ProblemHttpResult?> ReadFieldAsync(MultipartSection part, string name, CancellationToken cancellation)
    {
        var value = new byte[LargestField + 1];
        var length = await part.Body.ReadAtLeastAsync(value, value.Length, throwOnEndOfStream: false, cancellation);
        if (length > LargestField)
            return Wrong(StatusCodes.Status400BadRequest, name, $"must be at most {LargestField} bytes");
        return Fields.TryAdd(name, System.Text.Encoding.UTF8.GetString(value, 0, length))
            ? null
            : Wrong(StatusCodes.Status400BadRequest, name, "is given twice");
    }

    private async Task<ProblemHttpResult?> CopyAsync(Stream from, Uploads uploads, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (buffer, length) = (new byte[128 << 10], 0L);
        for (int read; (read = await from.ReadAsync(buffer, cancellation)) > 0; )
        {
            if ((length += read) > uploads.LargestBytes)
                continue;
            hash.AppendData(buffer, 0, read);
            await KeepAsync(buffer.AsMemory(0, read), cancellation);
        }
        await KeepAsync(default, cancellation); // an empty file is one too
        if (length > uploads.LargestBytes)
            return TooLarge(uploads);
        Sha256 = Convert.ToHexStringLower(hash.GetHashAndReset());
        return null;
    }

    private async Task KeepAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellation)
    {
        try
        {
            content ??= TemporaryFile.Create();
            await content.WriteAsync(bytes, cancellation);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FullDiskException(e);
        }
    }

    private static ProblemHttpResult TooLarge(Uploads uploads) =>
        Wrong(StatusCodes.Status413PayloadTooLarge, "body", $"must be at most {uploads.LargestBytes} bytes");

    private static ProblemHttpResult Wrong(int status, string part, string message) =>
        TypedResults.Problem(
            new HttpValidationProblemDetails(new Dictionary<string, string[]> { [part] = [message] })
            {
                Status = status,
                Title = "The file cannot be read.",
                Detail = $"Wrong: {part}.",
            }
        );

    private sealed class FullDiskException(Exception inner) : Exception(inner.Message, inner);
}
