using Temper.Domain.Datasets;
using Temper.Store.Rows;

namespace Temper.Api.Datasets;

/// <summary>
/// A page of the data sets that jobs can train on: on the first page those that every installation has, then uploaded ones, newest
/// first.
/// </summary>
/// <param name="Next">The `cursor` of the following page; null on the last.</param>
public sealed record DatasetPage(IReadOnlyList<DatasetResponse> Items, string? Next);

/// <summary>A data set. Those that were uploaded have a version; those that every installation has have none.</summary>
/// <param name="Name">The name in a job spec; with its version when it was uploaded.</param>
/// <param name="Version">The version, from 1; null for a set that every installation has.</param>
/// <param name="Classes">K.</param>
/// <param name="Channels">1 for grey, 3 for colour.</param>
/// <param name="Height">Rows of pixels.</param>
/// <param name="Width">Columns of pixels.</param>
/// <param name="TrainImages">Number of training images. Without own validation images, a part of them becomes the validation
/// split.</param>
/// <param name="ValidationImages">Number of images of its own validation part; null without one.</param>
/// <param name="TestImages">Number of test images, which a job uses once, at its end.</param>
/// <param name="About">A one-line description.</param>
/// <param name="Characters">Whether its images are known to be characters, which mirroring turns into others or into
/// none.</param>
/// <param name="Sha256">SHA-256 of its content, which a spec keeps; null for a set that every installation has.</param>
/// <param name="CreatedAt">When it was uploaded; null for a set that every installation has.</param>
/// <param name="Counts">Number of images of each class in each part; null in a list, and for a set that every installation
/// has.</param>
/// <param name="Note">How the test part was made; null when it was uploaded.</param>
/// <param name="Samples">Path of a picture of some images of each class; null for a set that every installation has.</param>
/// <param name="Mean">Path of a picture of the mean of all training images; null like `samples`.</param>
public sealed record DatasetResponse(
    string Name,
    int? Version,
    int Classes,
    int Channels,
    int Height,
    int Width,
    int TrainImages,
    int? ValidationImages,
    int TestImages,
    string About,
    bool Characters,
    string? Sha256,
    DateTimeOffset? CreatedAt,
    IReadOnlyList<ClassCount>? Counts,
    string? Note,
    string? Samples,
    string? Mean
)
{
    internal static DatasetResponse Of(DatasetCard card) =>
        new(
            card.Name,
            null,
            card.Classes,
            card.Channels,
            card.Height,
            card.Width,
            card.TrainImages,
            card.ValidationImages,
            card.TestImages,
            card.About,
            card.Characters,
            null,
            null,
            null,
            null,
            null,
            null
        );

    internal static DatasetResponse Of(StoredDataset set) =>
        Of(set.Content.Card(set.Id)) with
        {
            Version = set.Version,
            Sha256 = set.Content.Sha256,
            CreatedAt = set.CreatedAt,
            Counts = set.Details?.Classes,
            Note = set.Details?.Note,
            Samples = $"/datasets/{set.Id}/samples.png",
            Mean = $"/datasets/{set.Id}/mean.png",
        };
}

/// <param name="Details">Null in a list.</param>
internal sealed record StoredDataset(string Id, int Version, DatasetContent Content, DatasetDetails? Details, DateTimeOffset CreatedAt);
