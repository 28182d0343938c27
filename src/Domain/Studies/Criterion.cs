using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>The figure of the validation split by which a study chooses.</summary>
public enum Criterion
{
    /// <summary>NLL after a cross-fitted temperature, which removes the miscalibration that one number can correct.</summary>
    NllAfterTemperature,

    Nll,
    Ece,

    /// <summary>ECE after a cross-fitted temperature.</summary>
    EceAfterTemperature,

    Brier,
    Accuracy,

    /// <summary>ECE with its bias removed; see <see cref="SplitScores.DebiasedEce"/>.</summary>
    DebiasedEce,

    /// <summary>Debiased ECE after a cross-fitted temperature.</summary>
    DebiasedEceAfterTemperature,

    SmoothEce,

    /// <summary>Smooth ECE after a cross-fitted temperature.</summary>
    SmoothEceAfterTemperature,
}

public static class Criteria
{
    /// <returns>The loss; lower is better. For accuracy it is the error rate. Null if the build that trained the job did not compute
    /// it: such a job does not count.</returns>
    public static double? LossBy(this SplitScores scores, Criterion criterion) =>
        criterion switch
        {
            Criterion.NllAfterTemperature => scores.NllAfterTemperature,
            Criterion.Nll => scores.Nll,
            Criterion.Ece => scores.Ece,
            Criterion.EceAfterTemperature => scores.EceAfterTemperature,
            Criterion.Brier => scores.Brier,
            Criterion.Accuracy => 1 - scores.Accuracy,
            Criterion.DebiasedEce => scores.DebiasedEce,
            Criterion.DebiasedEceAfterTemperature => scores.DebiasedEceAfterTemperature,
            Criterion.SmoothEce => scores.SmoothEce,
            Criterion.SmoothEceAfterTemperature => scores.SmoothEceAfterTemperature,
            _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, null),
        };

    /// <returns>The jobs that have a loss.</returns>
    public static IEnumerable<StudyJob> CountedBy(this IEnumerable<StudyJob> jobs, Criterion criterion) =>
        jobs.Where(job => job.Scores.Validation.LossBy(criterion) is not null);

    /// <param name="jobs">Jobs of one arm that have a loss.</param>
    public static ArmLosses LossesBy(this IEnumerable<StudyJob> jobs, int arm, Criterion criterion) =>
        new(arm, jobs.ToDictionary(job => job.Seed, job => job.Scores.Validation.LossBy(criterion)!.Value));

    /// <returns>The smallest difference that two losses can have: for the error rate one validation image, otherwise 0 because
    /// the losses are continuous.</returns>
    public static double Resolution(this Criterion criterion, StudySpec study, IEnumerable<StudyJob> jobs)
    {
        if (criterion != Criterion.Accuracy)
            return 0;
        var fraction = study.Grid?.ValidationFraction?.Min() ?? study.Job.ValidationFraction;
        var published = study.Job.DatasetCard()!.Validated(fraction);
        return 1 / jobs.Select(job => job.ValidationImages ?? published).DefaultIfEmpty(published).Min();
    }

    /// <summary>Whether the criterion is measured after temperature scaling.</summary>
    public static bool LooksAfterTemperature(this Criterion criterion) =>
        criterion
            is Criterion.NllAfterTemperature
                or Criterion.EceAfterTemperature
                or Criterion.DebiasedEceAfterTemperature
                or Criterion.SmoothEceAfterTemperature;

    /// <summary>
    /// The figures that tell whether a temperature helps: the criterion's own where it has one after temperature, otherwise NLL. A
    /// temperature does not change the error rate, and no Brier score after temperature is kept.
    /// </summary>
    public static (Criterion Before, Criterion After) AroundTemperature(this Criterion criterion) =>
        criterion switch
        {
            Criterion.Ece or Criterion.EceAfterTemperature => (Criterion.Ece, Criterion.EceAfterTemperature),
            Criterion.DebiasedEce or Criterion.DebiasedEceAfterTemperature => (
                Criterion.DebiasedEce,
                Criterion.DebiasedEceAfterTemperature
            ),
            Criterion.SmoothEce or Criterion.SmoothEceAfterTemperature => (Criterion.SmoothEce, Criterion.SmoothEceAfterTemperature),
            _ => (Criterion.Nll, Criterion.NllAfterTemperature),
        };

    /// <summary>Whether the criterion is an ECE, so that a model of low accuracy may be the best by it.</summary>
    public static bool IsEce(this Criterion criterion) => criterion.AroundTemperature().Before != Criterion.Nll;

    /// <summary>The criterion's name for use in a sentence.</summary>
    public static string InWords(this Criterion criterion) =>
        criterion switch
        {
            Criterion.NllAfterTemperature => "NLL after temperature",
            Criterion.Nll => "NLL",
            Criterion.Ece => "ECE",
            Criterion.EceAfterTemperature => "ECE after temperature",
            Criterion.Brier => "Brier score",
            Criterion.Accuracy => "error rate",
            Criterion.DebiasedEce => "debiased ECE",
            Criterion.DebiasedEceAfterTemperature => "debiased ECE after temperature",
            Criterion.SmoothEce => "smooth ECE",
            Criterion.SmoothEceAfterTemperature => "smooth ECE after temperature",
            _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, null),
        };
}
