using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using Temper.Api.Arrays;

namespace Temper.Api.Http;

/// <summary>
/// The files of a request: its body, or the parts of a form that have a file name. They are a parameter of their endpoint, whose
/// <see cref="FileRule"/> says what it takes, and are received before the endpoint's filters: see <see cref="Overload"/>.
/// </summary>
/// <param name="Type">The media type of the body, as the rule writes it.</param>
/// <param name="Files">At least one without a refusal.</param>
/// <param name="Fields">The other fields of the form, by name; empty when the body is one file.</param>
/// <param name="Refusal">A refusal: 400, 408, 413, 415, 429 or 503; null when the files were received.</param>
internal sealed record PostedFiles(
    string Type,
    IReadOnlyList<PostedFile> Files,
    IReadOnlyDictionary<string, string> Fields,
    ProblemHttpResult? Refusal
)
{
    /// <summary>The file of an endpoint that takes one.</summary>
    public PostedFile File => Files[0];

    public static async ValueTask<PostedFiles> BindAsync(HttpContext context)
    {
        var request = context.Request;
        var rule = context.GetEndpoint()!.Metadata.GetRequiredMetadata<FileRule>();
        var uploads = context.RequestServices.GetRequiredService<Uploads>();
        var largest = uploads.LargestOf(rule);
        if (rule.RefusalBefore(request) is { } refusal)
            return Refused(refusal);
        _ = MediaTypeHeaderValue.TryParse(request.ContentType, out var type);
        if (rule.Types.FirstOrDefault(known => type?.MediaType.Equals(known, StringComparison.OrdinalIgnoreCase) == true) is not { } named)
            return Refused(
                Problems.Refused(
                    StatusCodes.Status415UnsupportedMediaType,
                    "content-type",
                    $"must be {(rule.Types.Count > 2 ? "one of " : "")}{string.Join(rule.Types.Count > 2 ? ", " : " or ", rule.Types)}"
                )
            );
        // A little more is read and dropped: a client whose connection is cut while it sends seldom receives the answer.
        var most = largest + PostedBody.LargestDropped;
        if (request.ContentLength > most)
            return Refused(TooLarge(rule, largest));
        if (uploads.TakePlace(context, rule) is { } noPlace)
            return Refused(noPlace);
        context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = most;
        if (!HttpProtocol.IsHttp2(request.Protocol)) // whose streams have no rates of their own in Kestrel
            context.Features.GetRequiredFeature<IHttpMinRequestBodyDataRateFeature>().MinDataRate = Uploads.LeastRate;
        try
        {
            var receiver = new Receiver(context, rule, largest);
            if (named != FileRule.Form)
                await receiver.CopyAsync("", request.Body);
            else
                await receiver.ReadFormAsync(HeaderUtilities.RemoveQuotes(type!.Boundary).Value);
            return receiver.IsTooLarge ? Refused(TooLarge(rule, largest)) : new(named, await receiver.FilesAsync(), receiver.Fields, null);
        }
        catch (WrongBodyException e)
        {
            return Refused(Problems.Invalid("The body is wrong.", new() { [e.Part] = [e.Sentence] }));
        }
        catch (FullDiskException)
        {
            return Refused(TemporaryFile.NoRoom(context));
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return Refused(TooLarge(rule, largest));
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status408RequestTimeout)
        {
            return Refused(Uploads.TooSlow());
        }
    }

    private static PostedFiles Refused(ProblemHttpResult refusal) => new("", [], new Dictionary<string, string>(), refusal);

    private static ProblemHttpResult TooLarge(FileRule rule, long largest) =>
        Problems.Refused(
            StatusCodes.Status413PayloadTooLarge,
            "body",
            $"must be at most {largest} bytes{(largest == rule.MostBytes ? "" : $"; {Uploads.Setting} sets the limit")}"
        );

    /// <summary>Writes the files of a request into one temporary file.</summary>
    private sealed class Receiver(HttpContext context, FileRule rule, long largest)
    {
        private const int PieceLength = 64 << 10,
            LargestField = 4 << 10,
            LongestBoundary = 70;

        private readonly List<(string Name, long Start)> files = [];
        private readonly byte[] buffer = new byte[PieceLength];
        private FileStream? disk;
        private long received;

        public Dictionary<string, string> Fields { get; } = [];

        public bool IsTooLarge => received > largest;

        public async Task<IReadOnlyList<PostedFile>> FilesAsync()
        {
            await KeepAsync(file => file.FlushAsync(context.RequestAborted));
            var ends = files.Skip(1).Select(next => next.Start).Append(received);
            return [.. files.Zip(ends, (file, end) => new PostedFile(file.Name, disk!.SafeFileHandle, file.Start, end - file.Start))];
        }

        public async Task CopyAsync(string name, Stream from)
        {
            files.Add((name, received));
            var read = await from.ReadAtLeastAsync(buffer, 4, throwOnEndOfStream: false, context.RequestAborted);
            if (rule.FaultOfStart(buffer.AsSpan(0, read)) is { } fault)
                throw new WrongBodyException(WrongBodyException.Whole, fault);
            for (; read > 0; read = await from.ReadAsync(buffer, context.RequestAborted))
            {
                received += read;
                if (!IsTooLarge)
                    await KeepAsync(file => file.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted).AsTask());
            }
        }

        public async Task ReadFormAsync(string? boundary)
        {
            if (boundary is not { Length: > 0 and <= LongestBoundary })
                throw new WrongBodyException("content-type", $"must name a boundary of 1 to {LongestBoundary} characters");
            var form = new MultipartReader(boundary, context.Request.Body);
            try
            {
                while (await form.ReadNextSectionAsync(context.RequestAborted) is { } part)
                    await ReadPartAsync(part);
            }
            catch (Exception e) when (e is InvalidDataException or IOException and not BadHttpRequestException)
            {
                throw Wrong($"is no complete {FileRule.Form}, or a part has very long headers");
            }
            if (files.Count == 0)
                throw Wrong("must have a part with a file name, such as curl -F file=@FILE");
        }

        private async Task ReadPartAsync(MultipartSection part)
        {
            var disposition = part.GetContentDispositionHeader();
            if (disposition?.IsFileDisposition() == true)
            {
                if (files.Count == rule.MostFiles)
                    throw Wrong(rule.MostFiles == 1 ? "must have one file" : $"must have at most {rule.MostFiles} files");
                await CopyAsync($"{HeaderUtilities.RemoveQuotes(disposition.FileName)}", part.Body);
            }
            else if (disposition?.IsFormDisposition() == true)
                await ReadFieldAsync(part.Body, $"{HeaderUtilities.RemoveQuotes(disposition.Name)}");
            else
                throw Wrong("must have form-data parts only");
        }

        private async Task ReadFieldAsync(Stream body, string name)
        {
            if (!rule.Fields.Contains(name))
                throw new WrongBodyException(
                    WrongBodyException.Shown(name),
                    $"is not a field of this form, which has {string.Join(", ", rule.Fields.Prepend("files with file names"))}"
                );
            var value = new byte[LargestField + 1];
            var length = await body.ReadAtLeastAsync(value, value.Length, throwOnEndOfStream: false, context.RequestAborted);
            if (length > LargestField)
                throw new WrongBodyException(name, $"must be at most {LargestField} bytes");
            if (!Fields.TryAdd(name, Encoding.UTF8.GetString(value, 0, length)))
                throw new WrongBodyException(name, "is given twice");
        }

        private async Task KeepAsync(Func<FileStream, Task> write)
        {
            try
            {
                if (disk is null)
                    context.Response.RegisterForDispose(disk = TemporaryFile.Create());
                await write(disk);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new FullDiskException(e);
            }
        }

        private static WrongBodyException Wrong(string sentence) => new(WrongBodyException.Whole, sentence);
    }

    private sealed class FullDiskException(Exception inner) : Exception(inner.Message, inner);
}
