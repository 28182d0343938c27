using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Domain.Datasets;

namespace Temper.Api.Datasets;

/// <summary>
/// A data set as npz: `images` and `labels`, with `validation_` and `test_` before them for own parts, and `class_names`.
/// </summary>
internal static class NpzDataset
{
    private const string ClassNames = "class_names",
        Images = "images";

    private const int PieceLength = 8 << 10;

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

    /// <param name="members">The members of the zip file.</param>
    /// <param name="errors">Gets what is wrong with each array.</param>
    /// <returns>Null when there are errors.</returns>
    /// <exception cref="WrongBodyException">The file is no npz.</exception>
    public static UploadedImages? Read(Stream file, IReadOnlyList<ZipMember> members, SpecErrors errors, CancellationToken cancellation)
    {
        var npz = new NpzFile(file, members);
        foreach (var name in npz.Names.Except(Known).Take(SpecErrors.MostNamed))
            errors.Add(name, $"is no array of a data set; known are {string.Join(", ", Known)}");
        if (!Has(npz, ""))
            errors.Add(Images, "is missing");
        var train = PartOf(npz, "", null, errors, cancellation);
        var validation = PartOf(npz, "validation_", train?.Shape, errors, cancellation);
        var test = PartOf(npz, "test_", train?.Shape, errors, cancellation);
        var names = errors.Try(() => npz.FindTexts(ClassNames, DatasetContent.MostClasses));
        return errors.Any || train is not { } known
            ? null
            : new(known.Shape.Channels, known.Shape.Height, known.Shape.Width, names, known.Part, validation?.Part, test?.Part);
    }

    private static bool Has(NpzFile npz, string prefix) => npz.Names.Contains(prefix + Images) || npz.Names.Contains($"{prefix}labels");

    /// <param name="prefix">Stands before the names of the arrays.</param>
    /// <param name="expected">The shape of the training images; null for these themselves, or when they are wrong.</param>
    /// <returns>Null when the file has neither array, or when there are errors.</returns>
    private static (UploadedPart Part, Shape Shape)? PartOf(
        NpzFile npz,
        string prefix,
        Shape? expected,
        SpecErrors errors,
        CancellationToken cancellation
    )
    {
        if (!Has(npz, prefix))
            return null;
        var (imagesName, labelsName) = (prefix + Images, $"{prefix}labels");
        foreach (var missing in new[] { imagesName, labelsName }.Except(npz.Names))
            errors.Add(missing, "is missing");
        var images = errors.Try(() => npz.Find(imagesName, [ElementType.UInt8]));
        var labels = errors.Try(() => npz.Find(labelsName, ElementTypes.Integers));
        var shape = images is null ? null : errors.Try(() => Shape.Of(images));
        if (expected is not null && shape is not null && shape != expected)
            errors.Add(imagesName, $"must be {expected} as the training images are; it is {shape}");
        if (labels is { Shape: not [<= DatasetContent.MostImages] })
        {
            errors.Add(labelsName, $"must be one number for each image; its shape is {NpyHeader.Shown(labels.Shape)}");
            return null;
        }
        if (labels is not null && images is { Shape: [var count, ..] } && count != labels.Count)
            errors.Add(labelsName, $"must be one number for each of the {count} images; its shape is {NpyHeader.Shown(labels.Shape)}");
        var read = labels is null ? null : errors.Try(() => Labels(labels, cancellation));
        return read is null || images is null || shape is null ? null : (new(labelsName, read, () => new Pixels(images, shape)), shape);
    }

    private static ushort[] Labels(NpzArray array, CancellationToken cancellation)
    {
        var labels = new ushort[array.Count];
        using var numbers = array.Open();
        var piece = new long[PieceLength];
        for (var at = 0; at < labels.Length; )
        {
            cancellation.ThrowIfCancellationRequested();
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
            count is >= 1 and <= DatasetContent.MostImages && DatasetContent.IsSide(height) && DatasetContent.IsSide(width);
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
