using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>The arms under one share of label noise.</summary>
internal sealed class Condition
{
    private const int MostReasons = 3;

    private readonly StudySpec study;
    private readonly double noise;
    private readonly bool isOneOfSeveral;
    private readonly ILookup<int, StudyJob> jobs;
    private readonly IReadOnlyDictionary<int, int> diverged;
    private readonly FailedJobs[] failed;
    private readonly bool isOver;

    /// <summary>In the order given.</summary>
    private readonly StudyArm[] arms;

    /// <summary>Arms with results, the lowest mean first; arms that diverged with some seeds come last.</summary>
    private readonly StudyArm[] ranked;

    /// <summary>The ranked arms that can be chosen.</summary>
    private readonly StudyArm[] judged;

    private readonly IReadOnlyDictionary<int, double> means;
    private readonly ArmComparison comparison;

    public Condition(
        StudySpec study,
        double noise,
        StudyArm[] arms,
        ILookup<int, StudyJob> jobs,
        IReadOnlyList<FailedJobs> failed,
        IReadOnlyDictionary<int, int> diverged,
        bool isOver
    )
    {
        (this.arms, this.diverged, this.isOver) = (arms, diverged, isOver);
        this.failed = [.. failed.Where(one => arms.Any(arm => arm.Number == one.Arm))];
        // All arms of a condition have the same label noise, so the labels of the arms leave it out.
        (this.study, this.noise, isOneOfSeveral, this.jobs) = (
            study with
            {
                LabelNoise = null,
            },
            noise,
            study.LabelNoise is { Count: > 1 },
            jobs
        );
        var known = arms.Where(arm => jobs.Contains(arm.Number)).ToArray();
        var losses = known.ToDictionary(arm => arm.Number, arm => jobs[arm.Number].LossesBy(arm.Number, study.Criterion));
        // The remaining seeds of an arm that diverged say nothing about how hard each seed is, so the arm is left out.
        var adjusted = SeedAdjusted.Means([.. known.Where(arm => !Diverged(arm)).Select(arm => losses[arm.Number])]);
        means = known.ToDictionary(
            arm => arm.Number,
            arm => adjusted.TryGetValue(arm.Number, out var mean) ? mean : losses[arm.Number].BySeed.Values.Average()
        );
        ranked = [.. known.OrderBy(Diverged).ThenBy(arm => means[arm.Number])];
        judged = Judged(ranked);
        // A dropped arm cannot be chosen, but it contributes to the estimate of the spread as it would in the full grid.
        comparison = Compare(
            ranked.Where(arm => judged.Contains(arm) || (arm.DroppedAtSeeds is not null && !Diverged(arm))),
            study.Criterion
        );
    }

    public Recommendation Recommend()
    {
        if (judged.Length == 0)
            return Nothing();
        var seeds = judged.Max(Seeds);
        var tied = arms.Where(arm => judged.Contains(arm) && comparison.Tied.Contains(arm.Number)).ToArray();
        if (tied.Length == 0)
            tied = [judged[0]]; // every arm is beaten by another, in a cycle; only arms with different seeds can cause that
        var chosen = tied.OrderBy(Simplicity).ThenBy(arm => means[arm.Number]).First();
        var power = new Power(seeds, ArmComparison.Level, ArmComparison.WantedPower, comparison.Detectable(seeds));
        var closest = tied.OrderBy(arm => means[arm.Number]).Take(2).OrderBy(arm => Array.IndexOf(arms, arm)).ToArray();
        var between = tied.Length < 2 ? null : comparison.Between(closest[1].Number, closest[0].Number);
        var needed = between is null ? null : comparison.SeedsToTell(between);
        var more = needed is null ? (int?)null : Math.Max(1, needed.Value - seeds);
        var conclusion = new Conclusion(
            study,
            isOver,
            isOneOfSeveral ? noise : null,
            DifferenceExists,
            chosen.Arm,
            Temperature(chosen),
            TemperatureHelps(chosen),
            HardLabels(chosen),
            MoreAccurate(chosen),
            judged[0].Arm,
            Arms(ranked.Where(arm => !Diverged(arm))),
            Arms(tied),
            tied.Count(arm => Simplicity(arm) == Simplicity(chosen)),
            Nearest(chosen),
            Arms(NotJudged(arm => arm.DroppedAtSeeds is null)),
            Arms(NotJudged(arm => arm.DroppedAtSeeds is not null)),
            Constant(),
            Divergences(),
            power,
            Arms(closest),
            more
        );
        return new(
            noise,
            chosen.Arm.Epsilon,
            chosen.Arm,
            Temperature(chosen),
            DifferenceExists,
            [.. tied.Select(arm => arm.Arm.Epsilon).Distinct().Order()],
            ranked[0].Arm.Epsilon,
            power,
            more,
            more is null ? WhyNoMoreSeeds(between, seeds) : null,
            conclusion.Sentence(),
            Findings.Of(study, chosen.Arm, [.. ranked.Where(arm => !Diverged(arm))], jobs),
            [.. ranked.Select(arm => Rank(arm, tied))],
            conclusion.Action(),
            conclusion.InShort()
        );
    }

    private Recommendation Nothing()
    {
        var sentence =
            ranked.Length > 0 || diverged.Keys.Any(number => arms.Any(arm => arm.Number == number))
                ? $"No arm can be judged.{string.Concat(Divergences().Select(one => $" {one}."))}{Because()}"
                : $"No job has succeeded{(isOver ? "" : " yet")}.{Because()}";
        return new(
            noise,
            null,
            null,
            null,
            false,
            [],
            null,
            new(0, ArmComparison.Level, ArmComparison.WantedPower, null),
            null,
            "No arm can be judged.",
            sentence,
            [],
            [.. ranked.Select(arm => Rank(arm, []))]
        );
    }

    /// <summary>The reasons of the failed jobs, the most frequent first.</summary>
    private string Because() =>
        string.Concat(
            failed
                .GroupBy(one => one.Reason, one => one.Jobs)
                .OrderByDescending(reason => reason.Sum())
                .Take(MostReasons)
                .Select(reason => $" {reason.Sum()} failed: {reason.Key.TrimEnd('.')}.")
        );

    private static string WhyNoMoreSeeds(PairedDifference? tied, int seeds) =>
        tied is null ? "One arm alone may be the best: nothing is tied."
        : seeds < 2 ? "One seed tells nothing of how far arms scatter: add at least one more."
        : tied.StandardDeviation is null ? "The two tied arms with the lowest means have fewer than two seeds in common."
        : $"Not even {ArmComparison.MostSeeds} seeds would probably tell the two tied arms with the lowest means apart.";

    private bool Diverged(StudyArm arm) => diverged.ContainsKey(arm.Number);

    private IReadOnlyList<string> Divergences() =>
        [
            .. arms.Where(Diverged)
                .Select(arm => $"{arm.Arm.Label(study)} diverged with {diverged[arm.Number]} of {study.Seeds!.Count} seeds"),
        ];

    /// <summary>Arms with results that are not judged, except those that diverged.</summary>
    private IEnumerable<StudyArm> NotJudged(Func<StudyArm, bool> which) =>
        arms.Where(arm => ranked.Contains(arm) && !judged.Contains(arm) && !Diverged(arm) && which(arm));

    /// <summary>
    /// Leaves out the arms that successive halving dropped, because they are already beaten. Also leaves out an arm with under
    /// half as many seeds as another, because its jobs failed or have not run: it is too uncertain to compare or to recommend. So is
    /// an arm that shares under two seeds with the arm that has the most, since no arm could beat it.
    /// </summary>
    private StudyArm[] Judged(StudyArm[] ranked)
    {
        var known = ranked.Where(arm => !Diverged(arm)).ToArray();
        var left = known.Where(arm => arm.DroppedAtSeeds is null).ToArray();
        if (left.Length == 0)
            return known;
        var fullest = left.MaxBy(Seeds)!;
        var (most, seeds) = (Seeds(fullest), jobs[fullest.Number].Select(job => job.Seed).ToHashSet());
        return
        [
            .. left.Where(arm => 2 * Seeds(arm) >= most && jobs[arm.Number].Count(job => seeds.Contains(job.Seed)) >= Math.Min(2, most)),
        ];
    }

    private (Arm, double, double)? Nearest(StudyArm chosen)
    {
        var others = judged.Where(arm => arm != chosen).ToArray();
        return others.Length > 0 && others.All(arm => comparison.Between(arm.Number, chosen.Number).PValue <= comparison.PairLevel)
            ? (others[0].Arm, means[chosen.Number], means[others[0].Number])
            : null;
    }

    /// <summary>The arms whose difference to the arm with the lowest mean is the same with every seed.</summary>
    private IReadOnlyList<Arm> Constant() =>
        Arms(arms.Where(arm => judged.Contains(arm) && arm != judged[0] && comparison.Between(arm.Number, judged[0].Number).IsConstant));

    private bool DifferenceExists => comparison.DifferenceExists || ranked.Any(arm => arm.DroppedAtSeeds is not null);

    private RankedArm Rank(StudyArm arm, StudyArm[] tied)
    {
        var behind = !judged.Contains(arm) || arm == judged[0] ? null : comparison.Between(arm.Number, judged[0].Number);
        return new(
            arm.Arm,
            means[arm.Number],
            Seeds(arm),
            tied.Contains(arm),
            judged.Contains(arm),
            arm.DroppedAtSeeds,
            behind?.Mean,
            behind?.Interval(comparison.LevelTested),
            behind?.StandardDeviation is null ? null : behind.PValue,
            behind?.IsConstant ?? false,
            diverged.GetValueOrDefault(arm.Number)
        );
    }

    private int Seeds(StudyArm arm) => jobs[arm.Number].Count();

    /// <summary>
    /// Whether a cross-fitted temperature lowers the figure on validation by more than one standard error of the paired difference over
    /// the seeds, the rule by which a report chooses a calibrator; null if fewer than two jobs have the figure.
    /// </summary>
    private bool? TemperatureHelps(StudyArm arm)
    {
        var (before, after) = study.Criterion.AroundTemperature();
        var counted = jobs[arm.Number].CountedBy(before).CountedBy(after).ToList();
        var gain = PairedDifference.Of(Losses(before), Losses(after));
        return gain.StandardDeviation is { } deviation ? gain.Mean > deviation / Math.Sqrt(gain.Seeds) : null;

        IReadOnlyDictionary<long, double> Losses(Criterion criterion) => counted.LossesBy(arm.Number, criterion).BySeed;
    }

    private (Arm, bool)? HardLabels(StudyArm chosen)
    {
        static Arm Beside(StudyArm arm) => arm.Arm.WithoutLoss().WithoutMixup();
        return
            !IsPlain(chosen)
            && arms.FirstOrDefault(arm => comparison.Has(arm.Number) && IsPlain(arm) && Beside(arm) == Beside(chosen)) is { } hard
            ? (hard.Arm, comparison.Between(hard.Number, chosen.Number).PValue <= comparison.LevelTested)
            : null;
    }

    private bool IsPlain(StudyArm arm) => arm.Arm.On(study.Job).TrainingLoss().IsPlain;

    private (Arm, double, double)? MoreAccurate(StudyArm chosen)
    {
        if (!study.Criterion.IsEce())
            return null;
        var errors = Compare(judged, Criterion.Accuracy);
        var own = new ReferenceArm(study, jobs, chosen);
        return
            judged
                .Where(arm => arm != chosen && errors.Between(chosen.Number, arm.Number).PValue <= errors.PairLevel)
                .MaxBy(arm => errors.Between(chosen.Number, arm.Number).Mean)
                is { } better
            && own.Means(job => job.Scores.Validation.Accuracy, better) is var (accuracy, its)
            ? (better.Arm, accuracy, its)
            : null;
    }

    private ArmComparison Compare(IEnumerable<StudyArm> compared, Criterion criterion) =>
        new(
            compared.Select(arm => jobs[arm.Number].LossesBy(arm.Number, criterion)),
            rivals: arms.Length,
            resolution: criterion.Resolution(study, arms.SelectMany(arm => jobs[arm.Number]))
        );

    private double Temperature(StudyArm arm) => Math.Exp(jobs[arm.Number].Average(job => Math.Log(job.Scores.Temperature)));

    /// <summary>
    /// The simplest training has the lowest value: without mixup before with it, cross-entropy before other losses, and the smallest ε
    /// first, as `uniform`, so that both conventions are comparable. A loss without ε counts as one with 0.
    /// </summary>
    private (bool HasMixup, bool HasOtherLoss, double Epsilon) Simplicity(StudyArm arm)
    {
        var loss = arm.Arm.On(study.Job).TrainingLoss();
        return (loss.Mixup > 0, !loss.IsCrossEntropy, loss.Name == LossName.MaxSuppression ? loss.Epsilon : loss.Targets.EpsilonUniform);
    }

    private static IReadOnlyList<Arm> Arms(IEnumerable<StudyArm> arms) => [.. arms.Select(arm => arm.Arm)];
}
