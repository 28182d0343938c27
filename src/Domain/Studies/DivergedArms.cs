using Temper.Domain.Datasets;
using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>Jobs of an arm that failed for the same reason.</summary>
/// <param name="Arm">Number of the arm.</param>
/// <param name="Jobs">How many.</param>
public sealed record FailedJobs(int Arm, string Reason, int Jobs);

/// <summary>
/// Arms whose training diverged with some seeds: it failed because a loss was no longer finite, or ended worse than chance or with a loss
/// above 10·ln K. An arm is not judged by the seeds that are left, for those are the ones that went well.
/// </summary>
public static class DivergedArms
{
    /// <summary>How the reason of a job begins whose loss was no longer finite.</summary>
    public const string Reason = "Training diverged";

    /// <param name="jobs">Those that have succeeded.</param>
    /// <returns>By the number of the arm, with how many seeds it diverged; arms that did not are left out.</returns>
    public static IReadOnlyDictionary<int, int> Of(StudySpec study, IEnumerable<StudyJob> jobs, IEnumerable<FailedJobs> failed)
    {
        var classes = DatasetCatalog.Find(study.Job.Dataset)!.Classes;
        return failed
            .Where(one => one.Reason.StartsWith(Reason, StringComparison.Ordinal))
            .Select(one => (one.Arm, one.Jobs))
            .Concat(jobs.Where(job => LearnedNothing(job.Scores.Validation, classes)).Select(job => (job.Arm, Jobs: 1)))
            .GroupBy(one => one.Arm, one => one.Jobs)
            .ToDictionary(arm => arm.Key, arm => arm.Sum());
    }

    private static bool LearnedNothing(SplitScores scores, int classes) =>
        scores.Accuracy < 1.0 / classes || !(scores.Nll <= 10 * Math.Log(classes));
}
