using Temper.Domain;
using Temper.Domain.Jobs;

namespace Temper.Worker.Training;

/// <summary>The split into training and validation images, and the order of training. The spec's seed determines both.</summary>
internal sealed class Split
{
    private const ulong SplitStream = 1,
        NoiseStream = 2,
        FirstEpochStream = 1000;

    private readonly long seed;

    private Split(long seed, long[] training, long[] validation) => (this.seed, Training, Validation) = (seed, training, validation);

    /// <summary>Indices, into the data set's training images, of those to train on.</summary>
    public long[] Training { get; }

    /// <summary>
    /// Indices, into the data set's training images, of those to validate with. Their order is random, because the halves by which
    /// <see cref="Scores"/> fits and judges a temperature are every second image.
    /// </summary>
    public long[] Validation { get; }

    /// <param name="ownValidation">How many of the images, the last ones, are the set's own validation part; null for
    /// none.</param>
    public static Split Of(JobSpec spec, int images, int? ownValidation = null)
    {
        var random = new SplitMix64(spec.Seed, SplitStream);
        if (ownValidation is { } own)
        {
            var part = Indices(images - own, own);
            random.Shuffle<long>(part);
            return new(spec.Seed, Indices(0, images - own), part);
        }
        var indices = Indices(0, images);
        random.Shuffle<long>(indices);
        // Keep at least one image on each side, even for the smallest set.
        var validation = Math.Clamp((int)Math.Round(images * spec.ValidationFraction), 1, images - 1);
        return new(spec.Seed, indices[validation..], indices[..validation]);
    }

    private static long[] Indices(int first, int count) => [.. Enumerable.Range(first, count).Select(i => (long)i)];

    /// <summary>
    /// The training indices in the order of one epoch. The order depends only on seed and epoch, so a run can resume at any
    /// epoch.
    /// </summary>
    public long[] Order(int epoch)
    {
        var order = (long[])Training.Clone();
        new SplitMix64(seed, FirstEpochStream + (ulong)epoch).Shuffle<long>(order);
        return order;
    }

    /// <summary>Replaces a share of the training labels by another class, drawn uniformly. Validation labels stay.</summary>
    /// <param name="labels">Labels of all images; changed in place.</param>
    public void AddNoise(long[] labels, double share, int classes)
    {
        var random = new SplitMix64(seed, NoiseStream);
        var chosen = (long[])Training.Clone();
        random.Shuffle<long>(chosen);
        foreach (var i in chosen.AsSpan(0, (int)Math.Round(chosen.Length * share)))
            labels[i] = (labels[i] + 1 + random.NextInt32(classes - 1)) % classes;
    }
}
