using System.Globalization;
using System.Text.RegularExpressions;

namespace Temper.Domain.Datasets;

/// <summary>The content of an uploaded data set, as the spec of a job keeps it.</summary>
/// <param name="Sha256">SHA-256 of the content in <see cref="DatasetFile"/>'s format, lower-case hex.</param>
/// <param name="Classes">K, 2 to 1000.</param>
/// <param name="Channels">1 for grey, 3 for colour.</param>
/// <param name="Height">Rows of pixels, 4 to 256.</param>
/// <param name="Width">Columns of pixels, 4 to 256.</param>
/// <param name="TrainImages">Number of training images.</param>
/// <param name="ValidationImages">Number of images of its own validation part; 0 when it has none.</param>
/// <param name="TestImages">Number of test images.</param>
public sealed record DatasetContent(
    string Sha256,
    int Classes,
    int Channels,
    int Height,
    int Width,
    int TrainImages,
    int ValidationImages,
    int TestImages
)
{
    public const int MostClasses = 1000,
        SmallestSide = 4,
        LargestSide = 256,
        MostImages = 4_000_000;

    /// <summary>
    /// Most outputs of a validation or a test part, images · classes. A runner holds them as float32: 400 MB.
    /// </summary>
    public const long MostOutputs = 100_000_000;

    /// <summary>Completes the sentence "an image must have …".</summary>
    public static string SidesAllowed { get; } = $"{SmallestSide} to {LargestSide} pixels a side";

    public static bool IsSide(long pixels) => pixels is >= SmallestSide and <= LargestSide;

    /// <summary>Bytes of one image. A method, because JSON has each property.</summary>
    public int CountImageBytes() => Channels * Height * Width;

    public DatasetCard Card(string name) =>
        new(
            name,
            Classes,
            Channels,
            Height,
            Width,
            TrainImages,
            TestImages,
            "Uploaded.",
            ValidationImages: ValidationImages == 0 ? null : ValidationImages
        );
}

/// <summary>The name of an uploaded data set, such as `birds@3`.</summary>
/// <param name="Version">Counts from 1; null for the newest.</param>
public sealed partial record DatasetName(string Name, int? Version)
{
    /// <summary>Completes the sentence "must be …".</summary>
    public const string Allowed =
        "1 to 64 lower-case letters, digits and single hyphens, beginning with a letter, and no name of a data set that every "
        + "installation has";

    /// <returns>Null when the text is no name of an uploaded data set.</returns>
    public static DatasetName? Read(string? text)
    {
        if (text is null || Pattern().Match(text) is not { Success: true } match || match.Groups["name"].Length > 64)
            return null;
        var version = match.Groups["version"];
        return new(
            match.Groups["name"].Value,
            version.Success ? int.Parse(version.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) : null
        );
    }

    /// <summary>Whether a new data set may have this name.</summary>
    public static bool IsFree(string? text) => Read(text) is { Version: null } && DatasetCatalog.Find(text!) is null;

    public override string ToString() => Version is { } version ? FormattableString.Invariant($"{Name}@{version}") : Name;

    [GeneratedRegex("^(?<name>[a-z][a-z0-9]*(-[a-z0-9]+)*)(@(?<version>[1-9][0-9]{0,8}))?\\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
