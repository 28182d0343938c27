using Temper.Api.Arrays;
using Temper.Api.Http;

namespace Temper.Api.Datasets;

/// <summary>Tells what an upload is.</summary>
internal static class UploadFormat
{
    private const int MostMembers = 200_000;

    /// <summary>Photographs pack to about a third and drawings to a tenth; blank images are no data.</summary>
    private const int MostRatio = 250;

    /// <param name="largest">Largest data set in bytes.</param>
    /// <param name="errors">Gets what is wrong with each array or file that can be checked by itself.</param>
    /// <returns>Null when there are errors.</returns>
    /// <exception cref="WrongBodyException">The upload is none of the formats, or a zip file is damaged or exceeds the bounds.</exception>
    public static UploadedImages? Read(IReadOnlyList<PostedFile> files, long largest, SpecErrors errors, CancellationToken cancellation)
    {
        var bounds = new ZipBounds(MostMembers, largest + (1 << 20), 2 * largest, MostRatio);
        if (files is not [var posted])
            return IdxImages.Read([.. files.Select(IdxFile.Of)], largest, bounds, errors, cancellation);
        Span<byte> start = stackalloc byte[4];
        var file = posted.Open();
        file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        if (!FileKind.IsZip(start))
            throw new WrongBodyException(WrongBodyException.Whole, "is one IDX file; a data set has two for training and two for the test");
        var members = ZipDirectory.Read(file, bounds, cancellation);
        if (members.Count > 0 && members.All(member => member.Name.EndsWith(".npy", StringComparison.Ordinal)))
            return NpzDataset.Read(file, members, errors, cancellation);
        return members.Any(IdxFile.IsOne)
            ? IdxImages.Read(
                [.. members.Where(member => !ImageFolders.IsOfNoConcern(member)).Select(member => IdxFile.Of(file, member))],
                largest,
                bounds,
                errors,
                cancellation
            )
            : ImageFolders.Read(file, members, errors, cancellation);
    }
}
