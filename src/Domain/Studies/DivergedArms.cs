using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>Jobs of an arm that failed for the same reason.</summary>
/// <param name="Arm">Number of the arm.</param>
/// <param name="Jobs">Number of these jobs.</param>
public sealed record FailedJobs(int Arm, string Reason, int Jobs);

/// <summary>
/// Finds the arms whose training diverged with some seeds. A training diverged if it failed because a loss was not finite, or if
/// it ended significantly worse than chance or with a loss above 10·ln K. Such an arm is not judged by its other seeds, because
/// these are the ones that went well.
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
            .Concat(jobs.Where(Diverged).Select(job => (job.Arm, Jobs: 1)))
            .GroupBy(one => one.Arm, one => one.Jobs)
            .ToDictionary(arm => arm.Key, arm => arm.Sum());

        bool Diverged(StudyJob job) =>
            Divergence.HasHugeLoss(job.Scores.Validation.Nll, dataset.Classes)
            || Divergence.IsWorseThanChance(
                job.Scores.Validation.Accuracy,
                job.ValidationImages ?? (int)dataset.Validated(specs[job.Arm].ValidationFraction),
                dataset.Classes,
                specs[job.Arm].LabelNoise
            );
    }
}
