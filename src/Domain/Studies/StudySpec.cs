using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>A grid of jobs that finds the ε to train with. Only `job` is required.</summary>
public sealed record StudySpec
{
    public const int DefaultSeeds = 3;

    /// <summary>Those of a study that gives none.</summary>
    public static IReadOnlyList<double> DefaultEpsilons { get; } = [0, 0.02, 0.05, 0.1, 0.2, 0.3];

    /// <summary>The job spec that all jobs share. The grid replaces its `epsilon` if it has one.</summary>
    public required JobSpec Job { get; init; }

    /// <summary>Values of label smoothing ε: at least one, all different.</summary>
    public IReadOnlyList<double> Epsilons { get; init; } = DefaultEpsilons;

    /// <summary>Conventions to compare; that of `job` when absent.</summary>
    public IReadOnlyList<SmoothingConvention>? Smoothing { get; init; }

    /// <summary>Learning rates to compare; that of `job` when absent.</summary>
    public IReadOnlyList<double>? LearningRates { get; init; }

    /// <summary>
    /// Shares of wrong training labels; that of `job` when absent. The study does not choose among them: it gives a separate
    /// answer for each share.
    /// </summary>
    public IReadOnlyList<double>? LabelNoise { get; init; }

    /// <summary>Models to compare; that of `job` when absent.</summary>
    public IReadOnlyList<ModelName>? Models { get; init; }

    /// <summary>Values of further fields to compare, such as `batchSize` or `schedule`; those of `job` when absent.</summary>
    public StudyGrid? Grid { get; init; }

    /// <summary>
    /// Each arm is trained once with each seed. A count n means n seeds from `job.seed` on. 3 seeds when absent.
    /// </summary>
    public IReadOnlyList<long>? Seeds { get; init; }

    /// <summary>The figure of the validation split by which the study chooses.</summary>
    public Criterion Criterion { get; init; } = Criterion.NllAfterTemperature;

    /// <summary>Whether to stop clearly worse arms early; see `docs/studies.md`.</summary>
    public bool SuccessiveHalving { get; init; }

    /// <summary>Limits on the cost of the study; none when absent.</summary>
    public StudyBudget? Budget { get; init; }

    /// <summary>A name for display.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// Address to which the service posts the end of the study, signed; nothing is posted when absent. `job.notify` is for the end
    /// of each job.
    /// </summary>
    public string? Notify { get; init; }

    /// <summary>
    /// The grid: every combination, with label noise as the slowest axis and ε as the fastest. What would be trained alike is there
    /// once: a loss without ε has one arm for all ε and conventions, and at ε = 0 both conventions are the same, and so are
    /// `crossEntropy` and `maxSuppression`.
    /// </summary>
    public IReadOnlyList<Arm> Arms() =>
        [
            .. from noise in LabelNoise ?? [Job.LabelNoise]
            from model in Models ?? [Job.Model]
            from rate in LearningRates ?? [Job.LearningRate]
            from settings in Grid?.Combinations(Job) ?? [ArmSettings.None]
            let loss = settings.On(Job).Loss
            from smoothing in ConventionsOf(loss)
            from epsilon in EpsilonsOf(loss)
            where epsilon > 0 || smoothing == ConventionsOf(loss)[0]
            select new Arm(epsilon, smoothing, rate, model, noise, settings),
        ];

    /// <summary>
    /// The number of arms in the grid, computed without listing them; that of larger grids is <see cref="int.MaxValue"/>.
    /// </summary>
    public long CountArms()
    {
        // The lists come from a body of at most 64 KiB, so these products are far below 2⁶³.
        var beside = (long)(LearningRates?.Count ?? 1) * (LabelNoise?.Count ?? 1) * (Models?.Count ?? 1);
        return Losses().Aggregate(0L, (sum, loss) => Math.Min(sum + Math.Min(beside * CountOf(loss), int.MaxValue), int.MaxValue));
    }

    /// <summary>The number of combinations of a loss with its settings, its ε and the other fields of the grid.</summary>
    private long CountOf(LossName loss)
    {
        var (conventions, epsilons) = (ConventionsOf(loss).Count, EpsilonsOf(loss));
        var smoothing = (long)epsilons.Count * conventions - (epsilons.Contains(0) ? conventions - 1 : 0);
        return Math.Min(smoothing, int.MaxValue) * (Grid?.CountOf(loss, Job.GammaSchedule) ?? 1);
    }

    /// <summary>The losses that the study compares.</summary>
    public IReadOnlyList<LossName> Losses() => Grid?.Loss ?? [Job.Loss];

    /// <summary>The values of ε with which the study trains a loss: none is left where another loss has them.</summary>
    internal IReadOnlyList<double> EpsilonsOf(LossName loss) =>
        !TrainingLoss.TakesEpsilon(loss) ? [0]
        : loss == LossName.MaxSuppression && Losses().Contains(LossName.CrossEntropy) ? [.. Epsilons.Where(epsilon => epsilon != 0)]
        : Epsilons;

    private IReadOnlyList<SmoothingConvention> ConventionsOf(LossName loss) =>
        loss == LossName.CrossEntropy ? Smoothing ?? [Job.Smoothing] : [SmoothingConvention.Uniform];

    /// <summary>All jobs, ordered by seed and then by arm, so that complete comparisons are available early.</summary>
    public IEnumerable<(Arm Arm, JobSpec Spec)> Jobs() =>
        from seed in Seeds!
        from arm in Arms()
        select (arm, arm.On(Job) with { Seed = seed });
}

/// <summary>Limits on the cost of a study.</summary>
public sealed record StudyBudget
{
    /// <summary>Largest number of jobs; the API refuses a larger grid.</summary>
    public int? MaxJobs { get; init; }

    /// <summary>
    /// Minutes of training over all its jobs. When they are used up, the jobs that have not ended are cancelled.
    /// </summary>
    public double? MaxMinutes { get; init; }
}

/// <summary>One combination of a study's grid, trained with several seeds.</summary>
/// <param name="Settings">The fields and values that come from the study's `grid`; an empty object without one.</param>
public sealed record Arm(
    double Epsilon,
    SmoothingConvention Smoothing,
    double LearningRate,
    ModelName Model,
    double LabelNoise,
    ArmSettings Settings
)
{
    /// <summary>The job spec of this arm, with the seed of <paramref name="job"/>.</summary>
    public JobSpec On(JobSpec job) =>
        Settings.On(job) with
        {
            Epsilon = Epsilon,
            Smoothing = Smoothing,
            LearningRate = LearningRate,
            Model = Model,
            LabelNoise = LabelNoise,
        };

    /// <summary>The arm of cross-entropy on hard labels that differs from this one only in the loss; null when there is none.</summary>
    public Arm? Plain(StudySpec study, IEnumerable<Arm> arms) =>
        arms.FirstOrDefault(arm =>
            arm.WithoutLoss() == WithoutLoss() && arm.On(study.Job).TrainingLoss() is { IsCrossEntropy: true, Targets.EpsilonUniform: 0 }
        );

    /// <summary>What the arm has beside its loss and ε.</summary>
    internal Arm WithoutLoss() =>
        this with
        {
            Epsilon = 0,
            Smoothing = default,
            Settings = Settings.Without(LossSettings.All.Append("loss")),
        };

    /// <summary>What the arm has beside mixup.</summary>
    internal Arm WithoutMixup() => this with { Settings = Settings.Without("mixup") };

    /// <summary>A name for the arm from its ε, if its loss has one, and the other axes that differ within the study.</summary>
    public string Label(StudySpec study)
    {
        var beside = BesideEpsilon(study);
        var loss = Settings.On(study.Job).Loss;
        return string.Join(
            ", ",
            TrainingLoss.TakesEpsilon(loss) ? [FormattableString.Invariant($"ε = {Epsilon}"), .. beside]
                : beside.Count == 0 ? [$"loss {Serialization.Json.Name(loss)}"]
                : beside
        );
    }

    /// <summary>The parts of the label without ε; arms that differ only in ε share them.</summary>
    public IReadOnlyList<string> BesideEpsilon(StudySpec study)
    {
        var parts = new List<string>();
        if (study.Smoothing is { Count: > 1 })
            parts.Add(Smoothing.ToString().ToLowerInvariant());
        if (study.Models is { Count: > 1 })
            parts.Add(Model.ToString().ToLowerInvariant());
        if (study.LearningRates is { Count: > 1 })
            parts.Add(FormattableString.Invariant($"learning rate {LearningRate}"));
        if (study.LabelNoise is { Count: > 1 })
            parts.Add(FormattableString.Invariant($"label noise {LabelNoise}"));
        foreach (var field in study.Grid?.Varied() ?? [])
            if (Settings.Show(field) is { } value)
                parts.Add($"{Words(field)} {value}");
        return parts;
    }

    /// <summary>batchSize as "batch size".</summary>
    private static string Words(string field) => JsonNamingPolicy.KebabCaseLower.ConvertName(field).Replace('-', ' ');
}
