using System.Security.Cryptography;
using Temper.Domain.Datasets;

namespace Temper.Worker.Datasets;

/// <summary>A data set in memory, as bytes.</summary>
/// <param name="Train">Images to train on and to validate with; those of an own validation part come last.</param>
/// <param name="Test">Images to test on at the end of a job.</param>
/// <param name="Notes">Notes on these files for readers of results.</param>
internal sealed record Dataset(DatasetCard Card, LabelledImages Train, LabelledImages Test, IReadOnlyList<string> Notes)
{
    private readonly Lazy<string> sha256 = new(() =>
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in new[] { Train, Test })
        {
            hash.AppendData(part.Pixels);
            hash.AppendData(Array.ConvertAll(part.Labels, label => (byte)label)); // the hash is older than larger labels
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    });

    /// <summary>SHA-256 of the file of an uploaded set; null for other sets.</summary>
    public string? ContentSha256 { get; init; }

    /// <summary>SHA-256 of all pixels and labels or, for an uploaded set, of its file; lower-case hex.</summary>
    public string Sha256 => ContentSha256 ?? sha256.Value;
}

/// <summary>N images with their labels.</summary>
/// <param name="Pixels">N×C×H×W, 0 to 255.</param>
/// <param name="Labels">N class indices.</param>
/// <param name="Blends">How the label of each image was drawn; null if unknown.</param>
internal sealed record LabelledImages(byte[] Pixels, ushort[] Labels, IReadOnlyList<Blend>? Blends = null)
{
    public int Count => Labels.Length;
}

/// <summary>An image's true label distribution: <paramref name="First"/> with probability <paramref name="Weight"/>, else
/// <paramref name="Second"/>.</summary>
/// <param name="Weight">0.5 to 1; 1 for an unblended image, whose label is certain.</param>
internal readonly record struct Blend(byte First, byte Second, double Weight)
{
    public double ProbabilityOf(int label) =>
        label == First ? Weight
        : label == Second ? 1 - Weight
        : 0;
}
