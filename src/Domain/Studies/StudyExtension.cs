namespace Temper.Domain.Studies;

/// <summary>What a study is to have besides. At least one field is required.</summary>
public sealed record StudyExtension
{
    /// <summary>More ε; those that are there already change nothing.</summary>
    public IReadOnlyList<double>? Epsilons { get; init; }

    /// <summary>More seeds: a list, of which those that are there already change nothing, or how many more after the largest.</summary>
    public IReadOnlyList<long>? Seeds { get; init; }

    /// <summary>How many more seeds, where they were not listed.</summary>
    internal int? SeedCount { get; init; }

    /// <summary>In place of the study's budget.</summary>
    public StudyBudget? Budget { get; init; }

    /// <returns>The study with what this adds, seeds of its own at the end.</returns>
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

    /// <summary>This with so many more seeds.</summary>
    public StudyExtension With(int? seedCount) => this with { SeedCount = seedCount };
}
