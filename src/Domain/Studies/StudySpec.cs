using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>A grid of jobs that answers one question: which ε to train with. Only `job` is required.</summary>
public sealed record StudySpec
{
    public const int DefaultSeeds = 3;

    /// <summary>What all jobs have in common: a job spec, whose `epsilon`, where given, the grid replaces.</summary>
    public required JobSpec Job { get; init; }

    /// <summary>Label smoothing ε, at least one, each once.</summary>
    public IReadOnlyList<double> Epsilons { get; init; } = [0, 0.02, 0.05, 0.1, 0.2, 0.3];

    /// <summary>Conventions to compare; that of `job` when absent.</summary>
    public IReadOnlyList<SmoothingConvention>? Smoothing { get; init; }

    /// <summary>Learning rates to compare; that of `job` when absent.</summary>
    public IReadOnlyList<double>? LearningRates { get; init; }

    /// <summary>
    /// Shares of wrong training labels; that of `job` when absent. Not a choice but a condition: each gets an answer of
    /// its own.
    /// </summary>
    public IReadOnlyList<double>? LabelNoise { get; init; }

    /// <summary>Models to compare; that of `job` when absent.</summary>
    public IReadOnlyList<ModelName>? Models { get; init; }

    /// <summary>Each arm of the grid is trained once with each; a count n stands for n of them from `job.seed` on. 3 when absent.</summary>
    public IReadOnlyList<long>? Seeds { get; init; }

    /// <summary>The figure of the validation split to choose by.</summary>
    public Criterion Criterion { get; init; } = Criterion.NllAfterTemperature;

    /// <summary>Stop clearly worse arms early: see `docs/studies.md`.</summary>
    public bool SuccessiveHalving { get; init; }

    /// <summary>What the study may cost; without a bound when absent.</summary>
    public StudyBudget? Budget { get; init; }

    /// <summary>For people.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// The grid: every combination, labels' noise slowest and ε fastest. Without smoothing both conventions are the
    /// same, so ε = 0 is there once.
    /// </summary>
    public IReadOnlyList<Arm> Arms() =>
        [
            .. from noise in LabelNoise ?? [Job.LabelNoise]
            from model in Models ?? [Job.Model]
            from rate in LearningRates ?? [Job.LearningRate]
            from smoothing in Conventions
            from epsilon in Epsilons
            where epsilon > 0 || smoothing == Conventions[0]
            select new Arm(epsilon, smoothing, rate, model, noise),
        ];

    /// <summary>How many arms the grid has, also where they are too many to be listed.</summary>
    public long CountArms() =>
        ((long)Epsilons.Count * Conventions.Count - (Epsilons.Contains(0) ? Conventions.Count - 1 : 0))
        * (LearningRates?.Count ?? 1)
        * (LabelNoise?.Count ?? 1)
        * (Models?.Count ?? 1);

    /// <summary>Seed after seed, so that whole comparisons are there early.</summary>
    public IEnumerable<(Arm Arm, JobSpec Spec)> Jobs() =>
        from seed in Seeds!
        from arm in Arms()
        select (arm, arm.On(Job) with { Seed = seed });

    private IReadOnlyList<SmoothingConvention> Conventions => Smoothing ?? [Job.Smoothing];
}

/// <summary>What a study may cost.</summary>
public sealed record StudyBudget
{
    /// <summary>A grid of more jobs is refused.</summary>
    public int? MaxJobs { get; init; }

    /// <summary>Of training, over all its jobs: when they are used up, the jobs that have not ended are cancelled.</summary>
    public double? MaxMinutes { get; init; }
}

/// <summary>One combination of a study's grid, trained with several seeds.</summary>
public sealed record Arm(double Epsilon, SmoothingConvention Smoothing, double LearningRate, ModelName Model, double LabelNoise)
{
    /// <summary>The job spec of this arm, with the seed of <paramref name="job"/>.</summary>
    public JobSpec On(JobSpec job) =>
        job with
        {
            Epsilon = Epsilon,
            Smoothing = Smoothing,
            LearningRate = LearningRate,
            Model = Model,
            LabelNoise = LabelNoise,
        };

    /// <summary>How it is called where only what differs within the study matters.</summary>
    public string Label(StudySpec study) => string.Join(", ", [FormattableString.Invariant($"ε = {Epsilon}"), .. BesideEpsilon(study)]);

    /// <summary>The same without its ε: what arms share that differ in nothing else.</summary>
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
        return parts;
    }
}
