using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;
using Temper.Api.Arrays;
using Temper.Api.Images;

namespace Temper.Api.Predict;

/// <summary>Reads PNG and JPEG files: one as the body, or several as multipart/form-data.</summary>
internal static class FileImages
{
    /// <exception cref="WrongBodyException">It is no such file, or the image has another size than the model's.</exception>
    public static void Read(ReadOnlySpan<byte> file, ImageBatch batch)
    {
        if (!ImageFile.TryOpen(file, out var image, out var fault))
            throw new WrongBodyException(batch.Next, fault);
        using (image)
        {
            batch.RequireSize(image.Height, image.Width);
            var name = batch.Next;
            if (!image.TryDecode(batch.Shape.Channels, batch.Add(), out fault))
                throw new WrongBodyException(name, fault);
        }
    }

    /// <param name="boundary">The boundary of the parts.</param>
    /// <exception cref="WrongBodyException">A part is no image of the model's size, or the body is damaged.</exception>
    public static async Task ReadAsync(Stream body, string boundary, ImageBatch batch, CancellationToken cancellation)
    {
        var reader = new MultipartReader(boundary, body);
        try
        {
            while (await reader.ReadNextSectionAsync(cancellation) is { } section)
            {
                var file = new MemoryStream();
                await section.Body.CopyToAsync(file, cancellation);
                if (section.GetContentDispositionHeader()?.IsFileDisposition() != true)
                    throw new WrongBodyException(batch.Next, "must be a file; a field of a form was sent");
                Read(file.GetBuffer().AsSpan(0, (int)file.Length), batch);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new WrongBodyException("body", "is no complete multipart/form-data");
        }
    }
}
