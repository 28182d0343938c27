using Temper.Domain.Jobs;
using Temper.Domain.Notifications;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>The rule for one field of a study's spec, like <see cref="JobSpecRule"/> for a job's.</summary>
/// <param name="Field">The field's path in JSON.</param>
/// <param name="Allowed">Completes the sentence "must be …".</param>
/// <param name="Holds">Whether a spec satisfies the rule.</param>
public sealed record StudySpecRule(string Field, string Allowed, Func<StudySpec, bool> Holds)
{
    public const int MostJobs = 10_000;

    /// <summary>Limited because a study compares every pair of arms.</summary>
    public const int MostArms = 200;

    public const int MostSeeds = 1000;

    private const int MostValues = 100;

    /// <summary>The rules that a spec breaks; <see cref="JobSpecRule"/> checks its jobs.</summary>
    public static IEnumerable<StudySpecRule> BrokenBy(StudySpec spec) => All.Where(rule => !rule.Holds(spec));

    /// <summary>The fields of a grid, and the field of a job that each replaces.</summary>
    public static IReadOnlyDictionary<string, string> Axes { get; } =
        new Dictionary<string, string>
        {
            ["epsilons"] = "epsilon",
            ["smoothing"] = "smoothing",
            ["learningRates"] = "learningRate",
            ["labelNoise"] = "labelNoise",
            ["models"] = "model",
        };

    public static IReadOnlyList<StudySpecRule> All { get; } =
    [
        new("job", "an object, the job spec that all jobs share", _ => true),
        Axis("epsilons", s => s.Epsilons),
        Axis("smoothing", s => s.Smoothing),
        Axis("learningRates", s => s.LearningRates),
        Axis("labelNoise", s => s.LabelNoise),
        Axis("models", s => s.Models),
        new(
            "epsilons",
            "absent in a study without a loss that has an ε",
            // A spec that the API has answered has the default list, though it has no effect.
            s =>
                s.Job is null
                || s.Losses().Any(TrainingLoss.TakesEpsilon)
                || s.Epsilons is [0]
                || s.Epsilons.SequenceEqual(StudySpec.DefaultEpsilons)
        ),
        new(
            "epsilons",
            "a list with an ε above 0 in a study of maxSuppression beside crossEntropy, which are the same at ε = 0",
            s => s.Job is null || s.Epsilons.Count == 0 || s.Losses().All(loss => s.EpsilonsOf(loss).Count > 0)
        ),
        new(
            "smoothing",
            "null in a study without crossEntropy, which alone has smoothed targets",
            s => s.Job is null || s.Smoothing is null || s.Losses().Contains(LossName.CrossEntropy)
        ),
        new("grid", $"null, or an object with lists of values of {string.Join(", ", StudyGrid.Fields)}", _ => true),
        .. StudyGrid.Fields.Select(field => Values($"grid.{field}", field, s => s.Grid?.ValuesOf(field))),
        new(
            "grid.validationFraction",
            "null or one value in a study by an ECE, whose bias depends on the number of validation images",
            s => !s.Criterion.IsEce() || s.Grid?.ValidationFraction is null or { Count: <= 1 }
        ),
        .. LossSettings.All.SelectMany(field =>
            new StudySpecRule[]
            {
                new(
                    $"grid.{field}",
                    $"null in a study without a loss that has {field}",
                    s => s.Grid?.ValuesOf(field) is null || HasLossWith(s, field)
                ),
                new(
                    $"job.{field}",
                    $"absent in a study without a loss that has {field}",
                    s => s.Job is null || !LossSettings.IsSet(s.Job, field) || HasLossWith(s, field)
                ),
            }
        ),
        new(
            "seeds",
            $"a count from 1 to {MostSeeds}, or a list of 1 to {MostSeeds} different whole numbers from 0 to {JobSpecRule.LargestSeed}",
            s =>
                s.Seeds is null
                || (
                    s.Seeds.Count is >= 1 and <= MostSeeds
                    && s.Seeds.Distinct().Count() == s.Seeds.Count
                    && s.Seeds.All(seed => seed is >= 0 and <= JobSpecRule.LargestSeed)
                )
        ),
        new(
            "criterion",
            $"one of {string.Join(", ", Enum.GetNames<Criterion>().Select(name => char.ToLowerInvariant(name[0]) + name[1..]))}",
            s => Enum.IsDefined(s.Criterion)
        ),
        new("successiveHalving", "true or false", _ => true),
        new("budget", "null, or an object with maxJobs, maxMinutes or both", _ => true),
        new("budget.maxJobs", "null or a whole number of at least 1", s => s.Budget?.MaxJobs is null or >= 1),
        new(
            "budget.maxMinutes",
            "null or a number above 0, at most 100000000",
            s => s.Budget?.MaxMinutes is null or (> 0 and <= 100_000_000)
        ),
        new("notify", NotifyAddress.Allowed, s => s.Notify is null || NotifyAddress.Read(s.Notify) is not null),
        new("name", "null or 1 to 200 characters on one line", s => s.Name is null || JobSpecRule.IsLine(s.Name, 200)),
    ];

    private static bool HasLossWith(StudySpec study, string field) =>
        study.Job is null
        || study
            .Losses()
            .Any(loss => (study.Grid?.GammaSchedule ?? [study.Job.GammaSchedule]).Any(schedule => LossSettings.Has(loss, schedule, field)));

    private static StudySpecRule Axis<T>(string field, Func<StudySpec, IReadOnlyList<T>?> values) => Values(field, Axes[field], values);

    /// <param name="jobField">The field of a job that the values replace.</param>
    private static StudySpecRule Values<T>(string field, string jobField, Func<StudySpec, IReadOnlyList<T>?> values) =>
        new(
            field,
            $"a list of 1 to {MostValues} different values, each {JobSpecRule.All.First(rule => rule.Field == jobField).Allowed}",
            s => values(s) is not { } given || (given.Count is >= 1 and <= MostValues && given.Distinct().Count() == given.Count)
        );
}
