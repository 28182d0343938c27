namespace Temper.Domain.Calibration.Measures;

/// <summary>
/// Sets of classes that contain the label of 90 % of images, whatever the model: a threshold is chosen on some images so that the sets
/// of new images keep the promise on average over both. Small sets are better. A temperature can make adaptive sets larger.
/// </summary>
/// <param name="Split">The classes with 1 − p up to the threshold: the smallest sets on average, and they may be empty.</param>
/// <param name="Aps">Adaptive: the most likely classes up to a sum of probabilities.</param>
/// <param name="Raps">The same with a penalty of <see cref="Penalty"/> for each class after the second.</param>
/// <remarks>
/// Split: Sadinle et al. 2019, arXiv:1609.00451. APS: Romano et al. 2020, arXiv:2006.02544. RAPS: Angelopoulos et al. 2021,
/// arXiv:2009.14193. The effect of T: Dabah and Tirer 2024, arXiv:2402.05806. The last class of an adaptive set is in it by chance, so
/// that the coverage is exact; each image has one number in [0, 1) for that, from the seed of the report.
/// </remarks>
public sealed record ConformalSets(ConformalMethod Split, ConformalMethod Aps, ConformalMethod Raps)
{
    /// <summary>The share of images whose label the sets must contain.</summary>
    public const double Coverage = 0.9;

    /// <summary>RAPS adds this to the score of a class for each class after the second.</summary>
    public const double Penalty = 0.1;

    /// <summary>With fewer images no threshold promises the coverage: the sets would have all classes.</summary>
    public const int LeastImages = 9;

    private const int FreeClasses = 2,
        Methods = 3;

    private const ulong Stream = 6;

    /// <param name="calibration">The images on which thresholds are chosen, at least <see cref="LeastImages"/>.</param>
    /// <param name="judged">Other images, on which sizes and coverage are counted.</param>
    /// <param name="temperature">Above 0.</param>
    /// <exception cref="ArgumentException">There are too few images.</exception>
    public static ConformalSets Of(
        LabelledLogits calibration,
        LabelledLogits judged,
        double temperature,
        long seed,
        CancellationToken cancellation = default
    )
    {
        if (calibration.Count < LeastImages)
            throw new ArgumentException($"{LeastImages} images are needed to choose a threshold.", nameof(calibration));
        var random = new SplitMix64(seed, Stream);
        var thresholds = Thresholds(calibration, temperature, random, cancellation);
        var sets = new SetCounts[Pieces.CountOf(judged.Count)][];
        ForEachImage(
            judged,
            temperature,
            random.After(calibration.Count),
            cancellation,
            (piece, i, scores, ranked) =>
            {
                var counts = sets[piece] ??= new SetCounts[Methods];
                for (var method = 0; method < Methods; method++)
                    counts[method] += SetCounts.Of(
                        scores.AsSpan(method * ranked.Length, ranked.Length),
                        thresholds[method],
                        LabelRank(judged, i, ranked)
                    );
            }
        );
        ConformalMethod[] methods =
        [
            .. Enumerable
                .Range(0, Methods)
                .Select(method =>
                    ConformalMethod.Of(thresholds[method], sets.Select(piece => piece[method]).Aggregate((a, b) => a + b), judged.Count)
                ),
        ];
        return new(methods[0], methods[1], methods[2]);
    }

    /// <summary>The ⌈0.9·(n + 1)⌉-th smallest score of the labels, for each method.</summary>
    private static double[] Thresholds(LabelledLogits images, double temperature, SplitMix64 random, CancellationToken cancellation)
    {
        double[][] labels = [.. Enumerable.Range(0, Methods).Select(_ => new double[images.Count])];
        ForEachImage(
            images,
            temperature,
            random,
            cancellation,
            (_, i, scores, ranked) =>
            {
                for (var method = 0; method < Methods; method++)
                    labels[method][i] = scores[method * ranked.Length + LabelRank(images, i, ranked)];
            }
        );
        var rank = (int)Math.Ceiling((images.Count + 1L) * Coverage - 1e-9);
        foreach (var scores in labels)
            Array.Sort(scores);
        return [.. labels.Select(scores => scores[rank - 1])];
    }

    private static int LabelRank(LabelledLogits images, int i, int[] ranked) => Array.IndexOf(ranked, images.Labels[i]);

    /// <summary>The piece and the index of an image, its scores (3×K: each method's, from the likeliest class on) and its classes in that
    /// order.</summary>
    private delegate void Visit(int piece, int image, double[] scores, int[] ranked);

    private static void ForEachImage(
        LabelledLogits images,
        double temperature,
        SplitMix64 random,
        CancellationToken cancellation,
        Visit visit
    )
    {
        Pieces.ForEach(
            images.Count,
            cancellation,
            (piece, start, end) =>
            {
                var classes = images.Classes;
                var (keys, ranked, probabilities) = (new float[classes], new int[classes], new double[classes]);
                var scores = new double[Methods * classes];
                for (var i = start; i < end; i++)
                {
                    var row = images.Row(i);
                    Rank(row, keys, ranked);
                    VectorLoops.Divide(
                        probabilities,
                        VectorLoops.Exponentials(row, row[images.Predicted[i]], 1 / temperature, probabilities)
                    );
                    var (chance, above) = (random.DoubleAfter(i), 0.0);
                    for (var rank = 0; rank < classes; rank++)
                    {
                        var probability = probabilities[ranked[rank]];
                        scores[rank] = 1 - probability;
                        scores[classes + rank] = above + chance * probability;
                        scores[2 * classes + rank] = scores[classes + rank] + Penalty * Math.Max(rank + 1 - FreeClasses, 0);
                        above += probability;
                    }
                    visit(piece, i, scores, ranked);
                }
            }
        );
    }

    /// <summary>Writes the classes from the largest logit on; of equal logits, the first class comes first.</summary>
    /// <param name="keys">K numbers to work with.</param>
    private static void Rank(ReadOnlySpan<float> logits, float[] keys, int[] ranked)
    {
        for (var k = 0; k < logits.Length; k++)
            (keys[k], ranked[k]) = (-logits[k], k);
        Array.Sort(keys, ranked);
        for (var (start, end) = (0, 1); end <= keys.Length; end++)
        {
            if (end < keys.Length && keys[end] == keys[start])
                continue;
            Array.Sort(ranked, start, end - start);
            start = end;
        }
    }

    internal readonly record struct SetCounts(long Classes, int Empty, int Covered)
    {
        public static SetCounts Of(ReadOnlySpan<double> ascending, double threshold, int labelRank)
        {
            var size = 0;
            while (size < ascending.Length && ascending[size] <= threshold)
                size++;
            return new(size, size == 0 ? 1 : 0, labelRank < size ? 1 : 0);
        }

        public static SetCounts operator +(SetCounts a, SetCounts b) =>
            new(a.Classes + b.Classes, a.Empty + b.Empty, a.Covered + b.Covered);
    }
}

/// <summary>The sets of one method.</summary>
/// <param name="Threshold">The largest score of a class in a set.</param>
/// <param name="MeanSize">Mean number of classes in a set.</param>
/// <param name="Empty">Share of images whose set has no class.</param>
/// <param name="Coverage">Share of images whose set has the label.</param>
/// <param name="CoverageInterval">95 % Wilson interval of the coverage, with the threshold held fixed. The threshold's own variation moves
/// the coverage by about √(0.09/n) for n images that choose it.</param>
public sealed record ConformalMethod(double Threshold, double MeanSize, double Empty, double Coverage, Interval CoverageInterval)
{
    internal static ConformalMethod Of(double threshold, ConformalSets.SetCounts counts, int images) =>
        new(
            threshold,
            (double)counts.Classes / images,
            (double)counts.Empty / images,
            (double)counts.Covered / images,
            Interval.Wilson(counts.Covered, images)
        );
}
