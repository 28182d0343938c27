namespace Temper.Domain.Studies;

/// <summary>What to add to a study. At least one field is required.</summary>
public sealed record StudyExtension
{
    /// <summary>Additional ε. The study ignores an ε that it already has.</summary>
    public IReadOnlyList<double>? Epsilons { get; init; }

    /// <summary>
    /// Additional seeds: a list, of which the study ignores the seeds that it already has, or a number of seeds after the
    /// largest.
    /// </summary>
    public IReadOnlyList<long>? Seeds { get; init; }

    /// <summary>Number of additional seeds, when they are not listed.</summary>
    internal int? SeedCount { get; init; }

    /// <summary>Replaces the study's budget.</summary>
    public StudyBudget? Budget { get; init; }

    /// <returns>The study with these additions; the added ε and seeds come last.</returns>
    public StudySpec Widen(StudySpec study)
    {
        var largest = study.Seeds!.Max();
        var seeds = Seeds ?? [.. Enumerable.Range(1, SeedCount ?? 0).Select(i => largest + i)];
        return study with
        {
            Epsilons = [.. study.Epsilons.Union(Epsilons ?? [])],
            Seeds = [.. study.Seeds!.Union(seeds)],
            Budget = Budget ?? study.Budget,
        };
    }

    /// <summary>Returns this extension with a number of additional seeds.</summary>
    public StudyExtension With(int? seedCount) => this with { SeedCount = seedCount };
}
