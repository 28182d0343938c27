using Temper.Api.Arrays;

namespace Temper.Api.Predict;

/// <summary>Reads the array `images` of an npz file: uint8, N×H×W for grey images, or N×H×W×C with C = 1 or 3.</summary>
internal static class NpzImages
{
    /// <exception cref="WrongBodyException">It is something else, or the images have another size than the model's.</exception>
    public static void Read(Stream body, ImageBatch batch, CancellationToken cancellation)
    {
        var largest = (long)batch.Most * 3 * batch.Shape.Height * batch.Shape.Width + (64 << 10);
        var file = new NpzFile(body, new ZipBounds(Members: 8, largest, largest), cancellation);
        var images = file.Find("images", [ElementType.UInt8]) ?? throw new WrongBodyException("images", "is required; the file lacks it");
        if (images.Shape is not ([_, _, _] or [_, _, _, 1 or 3]))
            throw new WrongBodyException(
                "images",
                $"must be N×H×W or N×H×W×C with C = 1 or 3; its shape is {NpyHeader.Shown(images.Shape)}"
            );
        var channels = images.Shape is [.., 3] and [_, _, _, _] ? 3 : 1;
        if (images.Shape[0] > batch.Most)
            throw new WrongBodyException("images", $"must be at most {batch.Most}; there are {images.Shape[0]}");
        if ((images.Shape[1], images.Shape[2]) != (batch.Shape.Height, batch.Shape.Width))
            throw new WrongBodyException("images", $"must have {batch.Expected}; they have {images.Shape[1]}×{images.Shape[2]}");
        var image = new byte[channels * batch.Shape.Height * batch.Shape.Width];
        using var numbers = images.Open();
        for (var i = 0; i < images.Shape[0]; i++)
        {
            numbers.Read<byte>(image);
            batch.Add(image, channels);
        }
    }
}
