using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Domain.Datasets;

namespace Temper.Api.Datasets;

/// <summary>A file of an upload.</summary>
/// <param name="Name">The name that the client gave it; empty for the body itself. It is never used as a path.</param>
/// <param name="Content">Its bytes, seekable.</param>
internal sealed record SentFile(string Name, FileStream Content);

/// <summary>
/// The body of an upload, as it is or as multipart/form-data, in temporary files. Like <see cref="PostedBody"/> it is read before
/// the endpoint's filters, so a slow client takes no place from others.
/// </summary>
/// <param name="Files">Empty when the body is refused.</param>
/// <param name="Refusal">Null when the body is accepted.</param>
internal sealed record UploadedBody(IReadOnlyList<SentFile> Files, ProblemHttpResult? Refusal)
{
    private const int RetrySeconds = 5,
        MostFiles = 4,
        PieceLength = 64 << 10;

    /// <summary>Linux's ENOSPC and EDQUOT.</summary>
    private const int NoSpace = 28,
        QuotaExceeded = 122;

    public const string RawType = "application/octet-stream",
        ZipType = "application/zip",
        FormType = "multipart/form-data";

    public static async ValueTask<UploadedBody> BindAsync(HttpContext context)
    {
        var request = context.Request;
        var largest = context.RequestServices.GetRequiredService<DatasetOptions>().LargestBytes;
        var boundary = Boundary(request.ContentType);
        if (WrongQuery(request) is { } wrong)
            return Refused(wrong);
        if (boundary is null && MediaType(request.ContentType) is not (RawType or ZipType))
            return Refused(
                Problems.Refused(
                    StatusCodes.Status415UnsupportedMediaType,
                    "content-type",
                    $"must be {RawType}, {ZipType}, or {FormType} with a boundary"
                )
            );
        if (request.ContentLength > largest)
            return Refused(TooLarge(largest));
        if (!context.RequestServices.GetRequiredService<Uploads>().TryTakePlace(context))
            return Refused(Uploads.NoPlace(context));
        context.Features.Get<IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = null; // the copy below counts
        var files = new List<SentFile>();
        try
        {
            await ReceiveAsync(context, boundary, files, largest);
            return new(files, null);
        }
        catch (WrongBodyException e)
        {
            return Refused(Problems.Invalid("The data set is wrong.", new() { [e.Part] = [e.Sentence] }));
        }
        catch (TooLargeException)
        {
            return Refused(TooLarge(largest));
        }
        catch (IOException e) when (IsFullDisk(e))
        {
            return Refused(NoRoom(context));
        }
        // A multipart body that breaks off is an IOException, as is a broken connection, of which Kestrel makes a kind of its
        // own.
        catch (Exception e) when (e is InvalidDataException || (boundary is not null && e is IOException and not BadHttpRequestException))
        {
            return Refused(Problems.Invalid("The data set is wrong.", new() { ["body"] = ["is no valid multipart/form-data"] }));
        }
    }

    public static bool IsFullDisk(IOException e) => e.HResult is NoSpace or QuotaExceeded;

    public static ProblemHttpResult NoRoom(HttpContext context) =>
        Problems.TryLater(
            context,
            RetrySeconds,
            StatusCodes.Status503ServiceUnavailable,
            "There is no room for the upload.",
            "The folder of temporary files is full. Try again later."
        );

    private static async Task ReceiveAsync(HttpContext context, string? boundary, List<SentFile> files, long largest)
    {
        var left = largest;
        if (boundary is null)
        {
            left -= await CopyAsync(context, context.Request.Body, Add(""), left);
            return;
        }
        var reader = new MultipartReader(boundary, context.Request.Body);
        while (await reader.ReadNextSectionAsync(context.RequestAborted) is { } section)
        {
            var disposition = section.GetContentDispositionHeader();
            if (disposition is null || !disposition.IsFileDisposition())
                throw new WrongBodyException("body", "must have files only; name and seed belong into the query");
            if (files.Count == MostFiles)
                throw new WrongBodyException("body", $"has more than {MostFiles} files");
            left -= await CopyAsync(context, section.Body, Add(HeaderUtilities.RemoveQuotes(disposition.FileName).Value ?? ""), left);
        }
        if (files.Count == 0)
            throw new WrongBodyException("body", "has no file");

        FileStream Add(string name)
        {
            var file = TemporaryFile.Create();
            context.Response.RegisterForDispose(file);
            files.Add(new(name, file));
            return file;
        }
    }

    /// <returns>The number of bytes.</returns>
    private static async Task<long> CopyAsync(HttpContext context, Stream from, FileStream to, long most)
    {
        var (sum, buffer) = (0L, new byte[PieceLength]);
        // The beginning says what a file is. So a large body of another kind is not received.
        var read = await from.ReadAtLeastAsync(buffer, 4, throwOnEndOfStream: false, context.RequestAborted);
        if (!FileKind.IsKnown(buffer.AsSpan(0, read)))
            throw new WrongBodyException(
                "body",
                "must be an npz file, IDX files, or a zip file of them or of images; it is something else"
            );
        for (; read > 0; read = await from.ReadAsync(buffer, context.RequestAborted))
        {
            if ((sum += read) > most)
                throw new TooLargeException();
            await to.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
        }
        await to.FlushAsync(context.RequestAborted);
        return sum;
    }

    private static ProblemHttpResult? WrongQuery(HttpRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "name", "seed");
        if (!DatasetName.IsFree(request.Query["name"]))
            errors.TryAdd("name", [$"must be {DatasetName.Allowed}; got {request.Query["name"]}"]);
        if (SeedOf(request.Query["seed"]) is null)
            errors.TryAdd("seed", [$"must be a whole number from 0 to {int.MaxValue}; got {request.Query["seed"]}"]);
        return errors.Count > 0 ? Problems.Invalid("The query is wrong.", errors) : null;
    }

    /// <returns>0 when absent; null when it is wrong.</returns>
    public static int? SeedOf(string? seed) =>
        seed is null ? 0
        : int.TryParse(seed, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number)
            ? number
        : null;

    private static string? MediaType(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type) ? type.MediaType.Value?.ToLowerInvariant() : null;

    private static string? Boundary(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out var type) && type.MediaType.Equals(FormType, StringComparison.OrdinalIgnoreCase)
            ? HeaderUtilities.RemoveQuotes(type.Boundary).Value is { Length: > 0 and <= 200 } boundary
                ? boundary
                : null
            : null;

    private static UploadedBody Refused(ProblemHttpResult refusal) => new([], refusal);

    private static ProblemHttpResult TooLarge(long largest) =>
        Problems.Refused(
            StatusCodes.Status413PayloadTooLarge,
            "body",
            $"must be at most {largest} bytes; Datasets__LargestBytes sets the limit"
        );

    private sealed class TooLargeException : Exception;
}
