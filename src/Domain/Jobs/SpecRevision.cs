using Temper.Domain.Smoothing;

namespace Temper.Domain.Jobs;

/// <summary>
/// Revisions of the format of <see cref="JobSpec"/>. A build reads a spec of a later revision wrongly: it does not read a new value,
/// and it ignores a new field. So a worker claims only the jobs whose revision it knows.
/// </summary>
public static class SpecRevision
{
    /// <summary>The latest revision. This build knows it and all before it.</summary>
    public const int Known = 2;

    /// <summary>
    /// The additions to revision 1, which is what the builds know that had no revisions, and the specs that need them. Each new
    /// field, value or meaning gets a line and, once for a release, the next revision as <see cref="Known"/>. A field counts only
    /// where it differs from its default, so that workers of older builds may claim all other specs.
    /// </summary>
    private static readonly (int Revision, Func<JobSpec, bool> IsNeededBy)[] Additions =
    [
        (2, spec => spec.Corruptions),
        // Without another loss, its settings have their defaults.
        (2, spec => spec.Loss != LossName.CrossEntropy || spec.Mixup > 0),
        (2, spec => spec.Keep != KeepName.Last),
        (2, spec => spec.Dropout > 0 || spec.Initialization != InitializationName.Standard || spec.Schedule == ScheduleName.Linear),
    ];

    /// <returns>The lowest revision that a worker must know to train the spec as meant; 1 or more.</returns>
    public static int Of(JobSpec spec) => Of(spec, Additions);

    internal static int Of(JobSpec spec, IEnumerable<(int Revision, Func<JobSpec, bool> IsNeededBy)> additions) =>
        additions.Where(addition => addition.IsNeededBy(spec)).Select(addition => addition.Revision).DefaultIfEmpty(1).Max();
}
