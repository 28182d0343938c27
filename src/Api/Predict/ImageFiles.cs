using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Api.Images;
using Temper.Api.Onnx;

namespace Temper.Api.Predict;

/// <summary>Reads the images that a request sent: JSON, an npz file, or PNG and JPEG files, one as the body or several in a form.</summary>
internal static class ImageFiles
{
    private const string Png = "image/png",
        Jpeg = "image/jpeg";

    /// <summary>24 MiB: 1,000 images of 64×64 pixels in colour have 12 MB as npz.</summary>
    public static FileRule Rule { get; } =
        new([FileRule.Json, FileRule.Raw, Png, Jpeg, FileRule.Form], ImageBatch.LargestCount)
        {
            MostBytes = 24 << 20,
            JsonBody = typeof(PredictionRequest),
        };

    /// <exception cref="WrongBodyException">The files do not hold images of this shape.</exception>
    public static ImageBatch Read(PostedFiles posted, ImageShape shape, CancellationToken cancellation)
    {
        var batch = new ImageBatch(shape);
        if (posted.Type == FileRule.Json)
            JsonImages.Read(posted.File.ReadAll(), batch);
        else if (posted.Type == FileRule.Raw)
            NpzImages.Read(posted.File.Open(), batch, cancellation);
        else
            foreach (var file in posted.Files)
            {
                cancellation.ThrowIfCancellationRequested();
                Read(file.ReadAll(), batch);
            }
        return batch.Count > 0 ? batch : throw new WrongBodyException("images", "must be at least one");
    }

    private static void Read(ReadOnlySpan<byte> file, ImageBatch batch)
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
}
