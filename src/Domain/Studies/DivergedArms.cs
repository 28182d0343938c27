using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>Jobs of an arm that failed for the same reason.</summary>
/// <param name="Arm">Number of the arm.</param>
/// <param name="Jobs">Number of these jobs.</param>
public sealed record FailedJobs(int Arm, string Reason, int Jobs);

/// <summary>
/// Finds the arms whose training diverged with some seeds. A training diverged if it failed because a loss was not finite, or if
/// it ended significantly worse than chance or with a loss above 10·ln K. Such an arm is not judged by its other seeds, because
/// these are the ones that went well. If the accuracy of an arm over all its seeds is not significantly better than chance, all its
/// trainings diverged: a model that gives every image the same answer is well calibrated.
/// </summary>
public static class DivergedArms
{
    /// <param name="arms">All arms of the study.</param>
    /// <param name="jobs">The succeeded jobs.</param>
    /// <returns>The number of seeds with which an arm diverged, by the number of the arm; other arms are left out.</returns>
    public static IReadOnlyDictionary<int, int> Of(
        StudySpec study,
        IEnumerable<StudyArm> arms,
        IEnumerable<StudyJob> jobs,
        IEnumerable<FailedJobs> failed
    )
    {
        var dataset = study.Job.DatasetCard()!;
        var specs = arms.ToDictionary(arm => arm.Number, arm => arm.Arm.On(study.Job));
        return failed
            .Where(one => one.Reason.StartsWith(Divergence.Reason, StringComparison.Ordinal))
            .Select(one => (one.Arm, one.Jobs))
            .Concat(jobs.GroupBy(job => job.Arm).Select(arm => (Arm: arm.Key, Jobs: arm.Count(Guesses(arm) ? _ => true : Diverged))))
            .GroupBy(one => one.Arm, one => one.Jobs)
            .Select(arm => (Arm: arm.Key, Jobs: arm.Sum()))
            .Where(arm => arm.Jobs > 0)
            .ToDictionary(arm => arm.Arm, arm => arm.Jobs);

        bool Diverged(StudyJob job) =>
            Divergence.HasHugeLoss(job.Scores.Validation.Nll, dataset.Classes)
            || Divergence.IsWorseThanChance(job.Scores.Validation.Accuracy, Images(job), dataset.Classes, specs[job.Arm].LabelNoise);

        bool Guesses(IGrouping<int, StudyJob> arm) =>
            Divergence.IsNoBetterThanChance(
                arm.Sum(job => job.Scores.Validation.Accuracy * Images(job)) / arm.Sum(Images),
                arm.Sum(Images),
                dataset.Classes,
                specs[arm.Key].LabelNoise
            );

        int Images(StudyJob job) => job.ValidationImages ?? (int)dataset.Validated(specs[job.Arm].ValidationFraction);
    }
}
