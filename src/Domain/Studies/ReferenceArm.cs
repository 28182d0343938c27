using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>An arm that is compared with a reference, and the number of arms among which it was chosen.</summary>
internal readonly record struct ComparedArm(StudyArm Arm, int Among)
{
    /// <summary>An arm that was not chosen by its figures.</summary>
    public static implicit operator ComparedArm(StudyArm arm) => new(arm, 1);
}

/// <summary>
/// An arm that others are compared with. Means are taken over the seeds that both arms have, and differences, other − this, are
/// paired by seed. A job without the figure does not count. The intervals cover at least 95 % even if the arm was chosen among several:
/// the training that was lucky on validation may be lucky on the test set too, so the interval is that of the level ÷ their number.
/// </summary>
internal sealed class ReferenceArm(StudySpec study, ILookup<int, StudyJob> jobs, StudyArm arm)
{
    private const double Tail = 0.025;

    public StudyArm Arm => arm;

    /// <summary>The smallest difference that two accuracies on the test set can have: one image.</summary>
    public double OneTestImage { get; } = 1.0 / jobs[arm.Number].Min(job => job.TestImages ?? study.Job.DatasetCard()!.TestImages);

    /// <summary>The smallest difference that two accuracies on the training images can have: one image.</summary>
    public double OneTrainingImage { get; } = 1 / study.Job.DatasetCard()!.Trained(arm.Arm.On(study.Job).ValidationFraction);

    /// <summary>A clause with both means, their difference and its interval.</summary>
    /// <param name="resolution">The smallest difference that two values of the figure can have; 0 for a continuous
    /// figure.</param>
    public string Change(string what, Func<StudyJob, double?> figure, ComparedArm other, double resolution = 0)
    {
        if (Means(figure, other) is not var (own, its))
            return $"{what} cannot be compared: {Name(arm)} and {Name(other.Arm)} have no seed in common";
        var difference = Difference(figure, other.Arm, resolution);
        var between = $"{what} is {Numeral.Show(own)} at {Name(arm)} and {Numeral.Show(its)} at {Name(other.Arm)}";
        if (Range(difference, other) is not { } range)
            return between;
        var direction = Sign(range) switch
        {
            > 0 => "higher",
            < 0 => "lower",
            _ => "no significant difference",
        };
        return $"{between}, {direction} ({Numeral.Signed(difference.Mean)}{(difference.IsConstant ? " with every seed" : "")}, "
            + $"95 % interval {Numeral.Signed(range.Low)} to {Numeral.Signed(range.High)})";
    }

    /// <returns>1 if the figure is significantly higher at the other arm, −1 if it is lower, 0 if neither; null below two common
    /// seeds.</returns>
    public int? Direction(Func<StudyJob, double?> figure, ComparedArm other, double resolution = 0) =>
        Range(figure, other, resolution) is { } range ? Sign(range) : null;

    /// <summary>The interval of the difference; null below two common seeds.</summary>
    public Interval? Range(Func<StudyJob, double?> figure, ComparedArm other, double resolution = 0) =>
        Range(Difference(figure, other.Arm, resolution), other);

    /// <returns>Null without a common seed.</returns>
    public (double Own, double Its)? Means(Func<StudyJob, double?> figure, ComparedArm other)
    {
        var (own, its) = (BySeed(arm, figure), BySeed(other.Arm, figure));
        var common = own.Keys.Intersect(its.Keys).ToArray();
        return common.Length == 0 ? null : (common.Average(seed => own[seed]), common.Average(seed => its[seed]));
    }

    /// <summary>Of several arms the one with the lowest mean, adjusted for missing seeds by <see cref="SeedAdjusted"/>.</summary>
    /// <param name="figure">One that every job has, measured on validation.</param>
    public ComparedArm Best(StudyArm[] others, Func<StudyJob, double?> figure)
    {
        var means = SeedAdjusted.Means([.. others.Select(other => new ArmLosses(other.Number, BySeed(other, figure)))]);
        return new(others.MinBy(other => means[other.Number])!, others.Length);
    }

    /// <summary>The best of several arms by the study's criterion.</summary>
    public ComparedArm Best(StudyArm[] others) => Best(others, job => job.Scores.Validation.LossBy(study.Criterion));

    public string Name(StudyArm one) => one.Arm.Label(study);

    private static Interval? Range(PairedDifference difference, ComparedArm other) => difference.Interval(Tail / other.Among);

    private PairedDifference Difference(Func<StudyJob, double?> figure, StudyArm other, double resolution) =>
        PairedDifference.Of(BySeed(other, figure), BySeed(arm, figure), resolution);

    private Dictionary<long, double> BySeed(StudyArm one, Func<StudyJob, double?> figure) =>
        jobs[one.Number]
            .Select(job => (job.Seed, Value: figure(job)))
            .Where(job => job.Value is not null)
            .ToDictionary(job => job.Seed, job => job.Value!.Value);

    private static int Sign(Interval range) =>
        range.Low > 0 ? 1
        : range.High < 0 ? -1
        : 0;
}
