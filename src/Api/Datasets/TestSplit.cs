using System.Collections;
using Temper.Domain;

namespace Temper.Api.Datasets;

/// <summary>Takes a test part from the training images of a data set that has none: of each class the same share.</summary>
internal static class TestSplit
{
    /// <summary>Share of each class that becomes the test part.</summary>
    public const double Share = 0.2;

    private const ulong Stream = 7;

    /// <returns>Whether each image is for the test. Each class keeps at least one image to train on.</returns>
    public static BitArray Of(ushort[] labels, int classes, int seed)
    {
        var counts = new int[classes];
        foreach (var label in labels)
            counts[label]++;
        var left = Array.ConvertAll(counts, Taken);
        var random = new SplitMix64(seed, Stream);
        var isTest = new BitArray(labels.Length);
        // Draws from each class without replacement: an image is taken with the probability of what is still to take among the
        // rest.
        for (var i = 0; i < labels.Length; i++)
        {
            var label = labels[i];
            isTest[i] = random.NextInt32(counts[label]--) < left[label];
            if (isTest[i])
                left[label]--;
        }
        return isTest;
    }

    /// <returns>The share, rounded, at least 1; 0 of a class with a single image.</returns>
    private static int Taken(int count) =>
        count < 2 ? 0 : Math.Clamp((int)Math.Round(count * Share, MidpointRounding.AwayFromZero), 1, count - 1);
}
