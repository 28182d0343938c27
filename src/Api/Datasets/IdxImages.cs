using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Domain.Datasets;

namespace Temper.Api.Datasets;

/// <summary>
/// A data set as IDX files: images and labels to train on and, in files called `t10k-` or `test-`, for the test.
/// </summary>
internal static class IdxImages
{
    /// <param name="bounds">Has the ratio that gzip may reach, also within a zip.</param>
    /// <param name="errors">Gets what is wrong with each file.</param>
    /// <returns>Null when there are errors.</returns>
    /// <exception cref="WrongBodyException">The files are no data set.</exception>
    public static UploadedImages? Read(
        IReadOnlyList<IdxFile> files,
        long largest,
        ZipBounds bounds,
        SpecErrors errors,
        CancellationToken cancellation
    )
    {
        if (files.Count is not (2 or 4))
            throw new WrongBodyException(
                WrongBodyException.Whole,
                $"must be the IDX files of images and labels to train on, and those for the test: 2 or 4 files; got {files.Count}"
            );
        var shapes = new Dictionary<IdxFile, int[]>();
        foreach (var file in files)
        {
            cancellation.ThrowIfCancellationRequested();
            if (errors.Try(() => file.ReadShape()) is { } shape)
                shapes.Add(file, shape);
        }
        if (errors.Any)
            return null;
        var train = errors.Try(() =>
            PartOf(shapes, isForTest: false, largest, bounds)
            ?? throw new WrongBodyException(WrongBodyException.Whole, "has no files to train on")
        );
        var test = errors.Try(() => PartOf(shapes, isForTest: true, largest, bounds));
        if (train is not null && test is not null && test.Shape != train.Shape)
            errors.Add(
                WrongBodyException.Whole,
                $"must have images of one size; those for the test are {test.Shape.Height}×{test.Shape.Width}, the others "
                    + $"{train.Shape.Height}×{train.Shape.Width}"
            );
        return errors.Any || train is null ? null : new(1, train.Shape.Height, train.Shape.Width, null, train.Part, null, test?.Part);
    }

    private sealed record IdxPart(UploadedPart Part, (int Height, int Width) Shape);

    /// <returns>Null when there is no file of this part.</returns>
    private static IdxPart? PartOf(Dictionary<IdxFile, int[]> shapes, bool isForTest, long largest, ZipBounds bounds)
    {
        // Images have three dimensions, labels one.
        var own = shapes.Where(file => file.Key.IsForTest == isForTest).OrderByDescending(file => file.Value.Length).ToList();
        if (own.Count == 0)
            return null;
        if (own is not [(var images, [var count, var height, var width]), (var labels, [var labelCount])])
            throw new WrongBodyException(
                WrongBodyException.Whole,
                $"must have one file of images and one of labels {(isForTest ? "for the test" : "to train on")}; got "
                    + string.Join(", ", own.Select(file => $"{file.Key.Name} ({(file.Value.Length == 3 ? "images" : "labels")})"))
            );
        if (count is < 1 or > DatasetContent.MostImages || !DatasetContent.IsSide(height) || !DatasetContent.IsSide(width))
            throw new WrongBodyException(
                images.Name,
                $"must have 1 to {DatasetContent.MostImages} images of {DatasetContent.SidesAllowed}; it has {count} of {height}×{width}"
            );
        if (count * (long)height * width > largest)
            throw new WrongBodyException(images.Name, $"must have at most {largest} bytes; it announces {count * (long)height * width}");
        if (!bounds.Allows(count * (long)height * width, images.Sent))
            throw new WrongBodyException(images.Name, $"announces more than {bounds.Ratio} times the bytes that were sent");
        if (labelCount != count)
            throw new WrongBodyException(labels.Name, $"must have a label for each of the {count} images; it has {labelCount}");
        return new(new(labels.Name, Labels(labels, count), () => new Pixels(images)), (height, width));
    }

    private static ushort[] Labels(IdxFile file, int count)
    {
        var bytes = new byte[count];
        using var content = new IdxContent(file);
        content.Read(bytes);
        return Array.ConvertAll(bytes, label => (ushort)label);
    }

    private sealed class Pixels(IdxFile file) : IUploadedPixels
    {
        private readonly IdxContent content = new(file);

        public void ReadNext(Span<byte> pixels_CHW) => content.Read(pixels_CHW);

        public void Dispose() => content.Dispose();
    }
}
