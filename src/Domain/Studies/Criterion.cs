using Temper.Domain.Datasets;
using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>By which figure of the validation split a study chooses.</summary>
public enum Criterion
{
    /// <summary>NLL after a cross-fitted temperature: what is left when calibration that one number can mend is mended.</summary>
    NllAfterTemperature,

    Nll,
    Ece,

    /// <summary>ECE after a cross-fitted temperature.</summary>
    EceAfterTemperature,

    Brier,
    Accuracy,
}

public static class Criteria
{
    /// <returns>Lower is better; of accuracy, the error rate is taken.</returns>
    public static double LossBy(this SplitScores scores, Criterion criterion) =>
        criterion switch
        {
            Criterion.NllAfterTemperature => scores.NllAfterTemperature,
            Criterion.Nll => scores.Nll,
            Criterion.Ece => scores.Ece,
            Criterion.EceAfterTemperature => scores.EceAfterTemperature,
            Criterion.Brier => scores.Brier,
            Criterion.Accuracy => 1 - scores.Accuracy,
            _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, null),
        };

    /// <returns>The smallest difference that two losses can have: one validation image of an error rate; 0 where losses are
    /// continuous.</returns>
    public static double Resolution(this Criterion criterion, StudySpec study, IEnumerable<StudyJob> jobs)
    {
        if (criterion != Criterion.Accuracy)
            return 0;
        var published = DatasetCatalog.Find(study.Job.Dataset)!.TrainImages * study.Job.ValidationFraction;
        return 1 / jobs.Select(job => job.ValidationImages ?? published).DefaultIfEmpty(published).Min();
    }

    /// <summary>Whether it judges what is left after temperature scaling.</summary>
    public static bool LooksAfterTemperature(this Criterion criterion) =>
        criterion is Criterion.NllAfterTemperature or Criterion.EceAfterTemperature;

    /// <summary>The criterion in a sentence.</summary>
    public static string InWords(this Criterion criterion) =>
        criterion switch
        {
            Criterion.NllAfterTemperature => "NLL after temperature",
            Criterion.Nll => "NLL",
            Criterion.Ece => "ECE",
            Criterion.EceAfterTemperature => "ECE after temperature",
            Criterion.Brier => "Brier score",
            Criterion.Accuracy => "error rate",
            _ => throw new ArgumentOutOfRangeException(nameof(criterion), criterion, null),
        };
}
