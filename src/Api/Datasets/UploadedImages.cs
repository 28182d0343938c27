using Temper.Api.Arrays;

namespace Temper.Api.Datasets;

/// <summary>An upload whose shapes and labels are read, and whose pixels are not yet.</summary>
/// <param name="Channels">1 or 3.</param>
/// <param name="ClassNames">Null when the upload has none.</param>
/// <param name="Train">Images to train on; those of the test are taken from them when <paramref name="Test"/> is null.</param>
internal sealed record UploadedImages(
    int Channels,
    int Height,
    int Width,
    IReadOnlyList<string>? ClassNames,
    UploadedPart Train,
    UploadedPart? Validation,
    UploadedPart? Test
)
{
    public int ImageBytes => Channels * Height * Width;

    public IEnumerable<UploadedPart> Parts => new[] { Train, Validation, Test }.OfType<UploadedPart>();
}

/// <param name="Name">What the client calls its labels, for refusals.</param>
/// <param name="Labels">The class of each image.</param>
/// <param name="Open">Opens its images, from the first one on.</param>
internal sealed record UploadedPart(string Name, ushort[] Labels, Func<IUploadedPixels> Open);

/// <summary>The images of a part, one after another.</summary>
internal interface IUploadedPixels : IDisposable
{
    /// <param name="pixels_CHW">Filled with the next image.</param>
    /// <exception cref="WrongBodyException">The upload is damaged.</exception>
    void ReadNext(Span<byte> pixels_CHW);
}
