namespace Temper.Domain.Jobs;

/// <summary>How the results of a second run of a spec compare with those of the first.</summary>
public enum ReproductionVerdict
{
    /// <summary>
    /// Every weight, every test figure and every figure of every epoch is the same, except for times. If retention has removed
    /// the epochs of a run, they are not compared.
    /// </summary>
    BitEqual,

    /// <summary>
    /// The test figures differ by no more than <see cref="Reproduction.Tolerances"/>, as they do after rounding in a different
    /// order.
    /// </summary>
    WithinTolerance,

    Different,
}

/// <summary>The comparison of a job with the original job whose spec it repeats.</summary>
/// <param name="Original">The original job.</param>
/// <param name="Verdict">How the results compare.</param>
/// <param name="Sentence">The verdict and the changed circumstances in words.</param>
/// <param name="Figures">The test figures of both jobs.</param>
/// <param name="Changed">Other differences between the two runs, which may be the cause; empty without a known
/// difference.</param>
public sealed record Reproduction(
    Guid Original,
    ReproductionVerdict Verdict,
    string Sentence,
    IReadOnlyList<FigureDifference> Figures,
    IReadOnlyList<Circumstance> Changed
)
{
    /// <summary>
    /// Two runs that round differently have different weights within an epoch and end with two models of the same quality. These
    /// bounds are a convention: several times the differences of ten such pairs on MNIST (bench/records/training.md, "The same
    /// results").
    /// </summary>
    public static IReadOnlyDictionary<string, double> Tolerances { get; } =
        new Dictionary<string, double>
        {
            ["testAccuracy"] = 0.005,
            ["testLoss"] = 0.01,
            ["testEce"] = 0.01,
            ["testSignedGap"] = 0.01,
        };

    /// <param name="firstEpochs">Epochs of the original, oldest first. If retention has removed them, the list is empty and
    /// epochs are not compared.</param>
    /// <param name="secondEpochs">Epochs of the repetition, with the same rules.</param>
    public static Reproduction Of(
        Guid original,
        JobResult first,
        IReadOnlyList<EpochMetrics> firstEpochs,
        JobResult second,
        IReadOnlyList<EpochMetrics> secondEpochs
    )
    {
        FigureDifference[] figures =
        [
            new("testAccuracy", first.TestAccuracy, second.TestAccuracy),
            new("testLoss", first.TestLoss, second.TestLoss),
            new("testEce", first.TestEce, second.TestEce),
            new("testSignedGap", first.TestSignedGap, second.TestSignedGap),
        ];
        Circumstance[] changed =
        [
            .. new Circumstance[]
            {
                new("data", first.DataSha256, second.DataSha256),
                new("build", first.Build, second.Build),
                new("libtorch", first.Libtorch, second.Libtorch),
                new("device", first.Device, second.Device),
                new("threads", $"{first.Threads}", $"{second.Threads}"),
            }.Where(circumstance => circumstance.Was is null || circumstance.Was != circumstance.Is),
        ];
        var epochsKept = firstEpochs.Count > 0 && secondEpochs.Count > 0;
        var epochsAreEqual = !epochsKept || firstEpochs.Select(Timeless).SequenceEqual(secondEpochs.Select(Timeless));
        var verdict =
            first.WeightsSha256 == second.WeightsSha256 && figures.All(figure => figure.Was == figure.Is) && epochsAreEqual
                ? ReproductionVerdict.BitEqual
            : figures.All(figure => figure.IsWithin(Tolerances[figure.Name])) ? ReproductionVerdict.WithinTolerance
            : ReproductionVerdict.Different;
        return new(original, verdict, Say(verdict, changed, epochsKept), figures, changed);
    }

    private static EpochMetrics Timeless(EpochMetrics epoch) => epoch with { Seconds = 0, ImagesPerSecond = 0 };

    private static string Say(ReproductionVerdict verdict, Circumstance[] changed, bool epochsKept)
    {
        var outcome = verdict switch
        {
            ReproductionVerdict.BitEqual when epochsKept => "Equal to the bit: every weight, and every figure of every epoch.",
            ReproductionVerdict.BitEqual => "Equal to the bit: every weight and every test figure. The epochs are no longer kept.",
            ReproductionVerdict.WithinTolerance => "Equal within tolerance: the weights differ, the test figures hardly.",
            _ => "Different: a test figure is beyond the tolerance.",
        };
        if (changed.Length == 0)
            return verdict == ReproductionVerdict.BitEqual ? outcome : $"{outcome} Nothing known to matter has changed.";
        var changes = changed.Select(one =>
            one.Was is null ? $"{one.Name}, not recorded the first time" : $"{one.Name}, from {one.Was} to {one.Is}"
        );
        return $"{outcome} Changed: {string.Join("; ", changes)}.";
    }
}

/// <summary>A figure of the first run and of the second.</summary>
public sealed record FigureDifference(string Name, double Was, double Is)
{
    internal bool IsWithin(double tolerance) => Math.Abs(Is - Was) <= tolerance;
}

/// <summary>A circumstance of the two runs that may influence the results.</summary>
/// <param name="Name">data, build, libtorch, device or threads.</param>
/// <param name="Was">Value in the first run; null when the first run did not record it.</param>
public sealed record Circumstance(string Name, string? Was, string? Is);
