using Temper.Api.Arrays;
using Temper.Domain.Datasets;

namespace Temper.Api.Datasets;

/// <summary>
/// A data set as npz: `images` and `labels`, with `validation_` and `test_` before them for own parts, and `class_names`.
/// </summary>
internal static class NpzImages
{
    private const string ClassNames = "class_names",
        Images = "images";

    private const int LargestHeader = 16 << 10,
        PieceLength = 8 << 10;

    /// <summary>Photographs pack to about a third and drawings to a tenth; blank images are no data.</summary>
    private const int MostRatio = 250;

    private static readonly string[] Known =
    [
        "images",
        "labels",
        "validation_images",
        "validation_labels",
        "test_images",
        "test_labels",
        ClassNames,
    ];

    public static ZipBounds Bounds(long largest) => new(Known.Length, largest + LargestHeader, 2 * largest, MostRatio);

    /// <exception cref="WrongBodyException">The file is no such npz.</exception>
    /// <exception cref="WrongBodyException">An array has the wrong shape or labels.</exception>
    public static UploadedImages Read(Stream file, long largest)
    {
        var npz = new NpzFile(file, Bounds(largest));
        foreach (var name in npz.Names)
            if (!Known.Contains(name))
                throw new WrongBodyException(name, $"is no array of a data set; known are {string.Join(", ", Known)}");
        if (PartOf(npz, "", null) is not { } train)
            throw new WrongBodyException(Images, "is missing");
        return new(
            train.Shape.Channels,
            train.Shape.Height,
            train.Shape.Width,
            npz.FindTexts(ClassNames, DatasetContent.MostClasses),
            train.Part,
            PartOf(npz, "validation_", train.Shape)?.Part,
            PartOf(npz, "test_", train.Shape)?.Part
        );
    }

    /// <param name="prefix">Stands before the names of the arrays.</param>
    /// <param name="expected">The shape of the training images; null for these themselves.</param>
    /// <returns>Null when the file has neither array.</returns>
    private static (UploadedPart Part, Shape Shape)? PartOf(NpzFile npz, string prefix, Shape? expected)
    {
        var (imagesName, labelsName) = (prefix + Images, $"{prefix}labels");
        var images = npz.Find(imagesName, [ElementType.UInt8]);
        var labels = npz.Find(labelsName, ElementTypes.Integers);
        if (images is null && labels is null)
            return null;
        if (images is null || labels is null)
            throw new WrongBodyException(images is null ? imagesName : labelsName, "is missing");
        var shape = Shape.Of(images);
        if (expected is not null && shape != expected)
            throw new WrongBodyException(imagesName, $"must be {expected} as the training images are; it is {shape}");
        if (labels.Shape is not [var count] || count != images.Shape[0])
            throw new WrongBodyException(
                labelsName,
                $"must be one number for each of the {images.Shape[0]} images; its shape is {NpyHeader.Shown(labels.Shape)}"
            );
        return (new(labelsName, Labels(labels), () => new Pixels(images, shape)), shape);
    }

    private static ushort[] Labels(NpzArray array)
    {
        var labels = new ushort[array.Count];
        using var numbers = array.Open();
        var piece = new long[PieceLength];
        for (var at = 0; at < labels.Length; )
        {
            var read = numbers.Read<long>(piece);
            for (var i = 0; i < read; i++, at++)
                labels[at] = piece[i] is >= 0 and < DatasetContent.MostClasses
                    ? (ushort)piece[i]
                    : throw new WrongBodyException(
                        array.Name,
                        $"must be 0 to {DatasetContent.MostClasses - 1}, one number for each class; image {at} has {piece[i]}"
                    );
        }
        return labels;
    }

    private sealed record Shape(int Height, int Width, int Channels)
    {
        public static Shape Of(NpzArray images) =>
            images.Shape switch
            {
                [var count, var height, var width] when Fits(count, height, width) => new((int)height, (int)width, 1),
                [var count, var height, var width, (1 or 3) and var channels] when Fits(count, height, width) => new(
                    (int)height,
                    (int)width,
                    (int)channels
                ),
                _ => throw new WrongBodyException(
                    images.Name,
                    $"must be N×H×W or N×H×W×C: N from 1 to {DatasetContent.MostImages}, H and W from {DatasetContent.SmallestSide} to "
                        + $"{DatasetContent.LargestSide}, C 1 or 3; its shape is {NpyHeader.Shown(images.Shape)}"
                ),
            };

        public override string ToString() => $"{Height}×{Width}×{Channels}";

        private static bool Fits(long count, long height, long width) =>
            count is >= 1 and <= DatasetContent.MostImages && IsSide(height) && IsSide(width);

        private static bool IsSide(long side) => side is >= DatasetContent.SmallestSide and <= DatasetContent.LargestSide;
    }

    private sealed class Pixels(NpzArray array, Shape shape) : IUploadedPixels
    {
        private readonly NpzNumbers numbers = array.Open();
        private readonly byte[] pixels_HWC = new byte[shape.Height * shape.Width * shape.Channels];

        public void ReadNext(Span<byte> pixels_CHW)
        {
            numbers.Read<byte>(pixels_HWC);
            Layout.ToChw(pixels_HWC, shape.Channels, pixels_CHW);
        }

        public void Dispose() => numbers.Dispose();
    }
}

internal static class Layout
{
    /// <summary>Puts the channels of an image one after another.</summary>
    public static void ToChw(ReadOnlySpan<byte> pixels_HWC, int channels, Span<byte> pixels_CHW)
    {
        if (channels == 1)
        {
            pixels_HWC.CopyTo(pixels_CHW);
            return;
        }
        var area = pixels_HWC.Length / channels;
        for (int i = 0, from = 0; i < area; i++)
        for (var c = 0; c < channels; c++)
            pixels_CHW[c * area + i] = pixels_HWC[from++];
    }
}
