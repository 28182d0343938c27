using Temper.Api.Arrays;
using Temper.Api.Http;

namespace Temper.Api.Datasets;

/// <summary>Tells what an upload is.</summary>
internal static class UploadFormat
{
    /// <param name="largest">Largest data set in bytes.</param>
    /// <exception cref="WrongBodyException">A zip file is damaged or exceeds the bounds, or an array is wrong.</exception>
    /// <exception cref="WrongBodyException">The upload is none of the formats, or wrong.</exception>
    public static UploadedImages Read(IReadOnlyList<PostedFile> files, long largest)
    {
        if (files is not [var posted])
            return IdxImages.Read([.. files.Select(IdxFile.Of)], largest);
        Span<byte> start = stackalloc byte[4];
        var file = posted.Open();
        file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (!FileKind.IsZip(start))
            throw new WrongBodyException("body", "is one IDX file; a data set has two for training and two for the test");
        var members = ZipDirectory.Read(file, ImageFolders.Bounds(largest));
        if (members.Count > 0 && members.All(member => member.Name.EndsWith(".npy", StringComparison.Ordinal)))
            return NpzImages.Read(file, largest);
        return members.Any(IdxFile.IsOne)
            ? IdxImages.Read(
                [.. members.Where(member => !ImageFolders.IsOfNoConcern(member)).Select(member => IdxFile.Of(file, member))],
                largest
            )
            : ImageFolders.Read(file, members);
    }
}
