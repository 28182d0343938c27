using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Domain.Studies;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>A study as the API shows it.</summary>
/// <param name="Id">Id of the study, used in every URL.</param>
/// <param name="State">
/// State of all its jobs together: `queued` until one has begun, then `running`, or `paused` while all remaining jobs are paused.
/// At the end it is `failed` when a job has failed, else `cancelled` when a job was cancelled, else `succeeded`.
/// </param>
/// <param name="IsTerminal">True when no job is left to run. An extension of the study makes it false again.</param>
/// <param name="Spec">The submitted spec, with every default filled in and extensions included.</param>
/// <param name="Progress">Number of its jobs in each state.</param>
/// <param name="Rows">One row for each arm: each combination of ε and the other values that the grid varies.</param>
/// <param name="CreatedAt">When it was submitted.</param>
/// <param name="Pinned">True when retention removes nothing of the study and its jobs.</param>
/// <param name="Links">Paths of the operations on the study.</param>
/// <param name="Estimate">Likely cost of the remaining jobs; null except in the answers to `POST /studies` and to an
/// extension.</param>
public sealed record StudyResponse(
    Guid Id,
    JobState State,
    bool IsTerminal,
    StudySpec Spec,
    StudyProgress Progress,
    IReadOnlyList<ArmResponse> Rows,
    DateTimeOffset CreatedAt,
    bool Pinned,
    StudyLinks Links,
    StudyEstimate? Estimate = null
)
{
    internal static StudyResponse Of(StudyState study)
    {
        var progress = StudyProgress.Of(study);
        var state = progress.State();
        return new(
            study.Id,
            state,
            state.IsFinal(),
            study.Spec,
            progress,
            [.. study.Arms.Select(ArmResponse.Of)],
            study.CreatedAt,
            study.Pinned,
            StudyLinks.Of(study.Id)
        );
    }
}

/// <summary>How many jobs of a study are in each state.</summary>
/// <param name="Jobs">Number of jobs in all states.</param>
/// <param name="Dropped">Cancelled jobs whose arm successive halving dropped. It saved these trainings.</param>
/// <param name="SecondsLeft">Seconds until the study is done, if jobs take as long as those that have succeeded and as many run
/// at once as now; null when unknown.</param>
public sealed record StudyProgress(
    int Jobs,
    int Queued,
    int Running,
    int Paused,
    int Succeeded,
    int Failed,
    int Cancelled,
    int Dropped,
    double? SecondsLeft
)
{
    internal static StudyProgress Of(StudyState study)
    {
        var progress = Of(Enum.GetValues<JobState>().ToDictionary(state => state, state => study.Arms.Sum(arm => arm.Jobs[state])));
        var seconds = study.Arms.Where(arm => arm.SecondsPerJob is not null).Average(arm => arm.SecondsPerJob);
        return progress with
        {
            Dropped = study.Arms.Where(arm => arm.Arm.DroppedAtSeeds is not null).Sum(arm => arm.Jobs[JobState.Cancelled]),
            SecondsLeft =
                progress.Queued + progress.Running == 0
                    ? null
                    : seconds * (progress.Queued + progress.Running / 2.0) / Math.Max(1, progress.Running),
        };
    }

    private static StudyProgress Of(IReadOnlyDictionary<JobState, int> jobs) =>
        new(
            jobs.Values.Sum(),
            jobs[JobState.Queued],
            jobs[JobState.Running],
            jobs[JobState.Paused],
            jobs[JobState.Succeeded],
            jobs[JobState.Failed],
            jobs[JobState.Cancelled],
            0,
            null
        );

    internal static StudyProgress Of(StudySummary study) => Of(study.Jobs) with { Dropped = study.Dropped };

    internal JobState State() =>
        this switch
        {
            { Running: > 0 } => JobState.Running,
            { Queued: > 0 } => Queued == Jobs ? JobState.Queued : JobState.Running,
            { Paused: > 0 } => JobState.Paused,
            { Failed: > 0 } => JobState.Failed,
            _ => Cancelled > Dropped ? JobState.Cancelled : JobState.Succeeded,
        };
}

/// <summary>
/// An arm of the grid: means over the seeds that have succeeded, each with its 95 % interval. Figures are of the test set
/// unless stated otherwise.
/// </summary>
/// <param name="DroppedAtSeeds">Number of seeds after which successive halving dropped the arm; null when it did not.</param>
/// <param name="Seeds">Succeeded jobs that the means include.</param>
/// <param name="Accuracy">Share of top-1 hits.</param>
/// <param name="Nll">Mean negative log-likelihood, nats.</param>
/// <param name="Brier">Brier score, 0 to 2.</param>
/// <param name="Ece">Expected calibration error, 15 equal-width bins.</param>
/// <param name="EceAfterTemperature">ECE after temperature scaling, with T fitted on validation.</param>
/// <param name="NllAfterTemperature">NLL after temperature scaling, with T fitted on validation.</param>
/// <param name="SignedGap">Mean confidence − accuracy: positive is over-confident.</param>
/// <param name="Aurc">Area under the risk–coverage curve.</param>
/// <param name="Temperature">Temperature T, fitted on validation.</param>
/// <param name="BestEpoch">The epoch with the lowest validation loss.</param>
/// <param name="BestEpochAfterTemperature">The epoch with the lowest validation loss after temperature scaling, with a cross-fitted T.
/// It lacks the jobs that a worker of an older build trained.</param>
/// <param name="TrainTestGap">Accuracy on the training images in the kept epoch − test accuracy.</param>
/// <param name="ValidationAccuracy">Accuracy on validation.</param>
/// <param name="ValidationNll">NLL on validation.</param>
/// <param name="ValidationEce">ECE on validation.</param>
/// <param name="ValidationBrier">Brier score on validation.</param>
/// <param name="ValidationNllAfterTemperature">NLL on validation after temperature scaling, with a cross-fitted T.</param>
/// <param name="ValidationEceAfterTemperature">ECE on validation after temperature scaling, with a cross-fitted T.</param>
/// <param name="DebiasedEce">ECE with its bias removed. This and the figures below lack the jobs that a worker of an older build
/// trained.</param>
/// <param name="SmoothEce">Smooth ECE, without bins.</param>
/// <param name="DebiasedEceAfterTemperature">Debiased ECE after temperature scaling, with T fitted on validation.</param>
/// <param name="SmoothEceAfterTemperature">Smooth ECE after temperature scaling, with T fitted on validation.</param>
/// <param name="ValidationDebiasedEce">Debiased ECE on validation.</param>
/// <param name="ValidationSmoothEce">Smooth ECE on validation.</param>
/// <param name="ValidationDebiasedEceAfterTemperature">Debiased ECE on validation after temperature scaling, with a cross-fitted
/// T.</param>
/// <param name="ValidationSmoothEceAfterTemperature">Smooth ECE on validation after temperature scaling, with a cross-fitted
/// T.</param>
/// <param name="Augrc">Area under the generalized risk–coverage curve: the share of images that are answered and wrong, over all
/// coverages, 0 to ½.</param>
/// <param name="ValidationAugrc">The same on validation.</param>
/// <param name="CorruptedAccuracy">Mean accuracy under corruption, over all kinds and strengths; null without `job.corruptions`.</param>
/// <param name="CorruptedNll">Mean NLL under corruption.</param>
/// <param name="CorruptedEce">Mean ECE under corruption.</param>
/// <param name="CorruptedNllAfterTemperature">Mean NLL under corruption after temperature scaling, with T fitted on validation.</param>
/// <param name="CorruptedEceAfterTemperature">Mean ECE under corruption after temperature scaling, with T fitted on validation.</param>
public sealed record ArmResponse(
    double Epsilon,
    SmoothingConvention Smoothing,
    double LearningRate,
    ModelName Model,
    double LabelNoise,
    ArmSettings Settings,
    int? DroppedAtSeeds,
    int Jobs,
    int Seeds,
    MeanOverSeeds? Accuracy,
    MeanOverSeeds? Nll,
    MeanOverSeeds? Brier,
    MeanOverSeeds? Ece,
    MeanOverSeeds? EceAfterTemperature,
    MeanOverSeeds? NllAfterTemperature,
    MeanOverSeeds? SignedGap,
    MeanOverSeeds? Aurc,
    MeanOverSeeds? Temperature,
    MeanOverSeeds? BestEpoch,
    MeanOverSeeds? BestEpochAfterTemperature,
    MeanOverSeeds? TrainTestGap,
    MeanOverSeeds? ValidationAccuracy,
    MeanOverSeeds? ValidationNll,
    MeanOverSeeds? ValidationEce,
    MeanOverSeeds? ValidationBrier,
    MeanOverSeeds? ValidationNllAfterTemperature,
    MeanOverSeeds? ValidationEceAfterTemperature,
    MeanOverSeeds? DebiasedEce,
    MeanOverSeeds? SmoothEce,
    MeanOverSeeds? DebiasedEceAfterTemperature,
    MeanOverSeeds? SmoothEceAfterTemperature,
    MeanOverSeeds? ValidationDebiasedEce,
    MeanOverSeeds? ValidationSmoothEce,
    MeanOverSeeds? ValidationDebiasedEceAfterTemperature,
    MeanOverSeeds? ValidationSmoothEceAfterTemperature,
    MeanOverSeeds? Augrc,
    MeanOverSeeds? ValidationAugrc,
    MeanOverSeeds? CorruptedAccuracy,
    MeanOverSeeds? CorruptedNll,
    MeanOverSeeds? CorruptedEce,
    MeanOverSeeds? CorruptedNllAfterTemperature,
    MeanOverSeeds? CorruptedEceAfterTemperature
)
{
    internal static ArmResponse Of(ArmState state)
    {
        var (arm, figures) = (state.Arm.Arm, state.Figures);
        MeanOverSeeds? Mean(string name) =>
            figures.TryGetValue(name, out var figure) ? MeanOverSeeds.Of(figure.Mean, figure.Deviation, figure.Jobs) : null;
        return new(
            arm.Epsilon,
            arm.Smoothing,
            arm.LearningRate,
            arm.Model,
            arm.LabelNoise,
            arm.Settings,
            state.Arm.DroppedAtSeeds,
            state.Jobs.Values.Sum(),
            state.Scored,
            Mean("accuracy"),
            Mean("nll"),
            Mean("brier"),
            Mean("ece"),
            Mean("eceAfterTemperature"),
            Mean("nllAfterTemperature"),
            Mean("signedGap"),
            Mean("aurc"),
            Mean("temperature"),
            Mean("bestEpoch"),
            Mean("bestEpochAfterTemperature"),
            Mean("trainTestGap"),
            Mean("validationAccuracy"),
            Mean("validationNll"),
            Mean("validationEce"),
            Mean("validationBrier"),
            Mean("validationNllAfterTemperature"),
            Mean("validationEceAfterTemperature"),
            Mean("debiasedEce"),
            Mean("smoothEce"),
            Mean("debiasedEceAfterTemperature"),
            Mean("smoothEceAfterTemperature"),
            Mean("validationDebiasedEce"),
            Mean("validationSmoothEce"),
            Mean("validationDebiasedEceAfterTemperature"),
            Mean("validationSmoothEceAfterTemperature"),
            Mean("augrc"),
            Mean("validationAugrc"),
            Mean("corruptedAccuracy"),
            Mean("corruptedNll"),
            Mean("corruptedEce"),
            Mean("corruptedNllAfterTemperature"),
            Mean("corruptedEceAfterTemperature")
        );
    }
}

/// <summary>A mean over seeds.</summary>
/// <param name="Interval">95 % interval by Student's t; null below two seeds, and when their deviation is not finite.</param>
public sealed record MeanOverSeeds(double Mean, Interval? Interval)
{
    internal static MeanOverSeeds Of(double mean, double? deviation, int seeds)
    {
        if (deviation is not { } spread || !double.IsFinite(spread))
            return new(mean, null);
        var half = StudentT.Quantile(0.025, seeds - 1) * spread / Math.Sqrt(seeds);
        return new(mean, new Interval(mean - half, mean + half));
    }
}

/// <summary>A page of studies, newest first.</summary>
/// <param name="Next">Cursor of the next page; null on the last page.</param>
/// <param name="Note">The studies that this page omits because this build cannot read them; null when it omits none.</param>
public sealed record StudyPage(IReadOnlyList<StudyItem> Items, string? Next, string? Note)
{
    internal static StudyPage Of(IReadOnlyList<StudySummary> studies, string? next)
    {
        var unread = studies.Where(study => study.Spec is null).Select(study => study.Id).ToList();
        return new(
            [.. studies.Where(study => study.Spec is not null).Select(StudyItem.Of)],
            next,
            unread.Count == 0 ? null : $"Left out, for this build cannot read them: {string.Join(", ", unread)}."
        );
    }
}

/// <summary>A study in a list.</summary>
public sealed record StudyItem(
    Guid Id,
    string? Name,
    JobState State,
    bool IsTerminal,
    string Dataset,
    Criterion Criterion,
    StudyProgress Progress,
    DateTimeOffset CreatedAt,
    StudyLinks Links
)
{
    internal static StudyItem Of(StudySummary study)
    {
        var progress = StudyProgress.Of(study);
        var state = progress.State();
        var spec = study.Spec!; // StudyPage omits studies without a spec
        return new(
            study.Id,
            spec.Name,
            state,
            state.IsFinal(),
            spec.Job.Dataset,
            spec.Criterion,
            progress,
            study.CreatedAt,
            StudyLinks.Of(study.Id)
        );
    }
}

/// <summary>Paths of the operations on a study.</summary>
public sealed record StudyLinks(
    string Self,
    string Recommendation,
    string Report,
    string Metrics,
    string Jobs,
    string Events,
    string Notifications,
    string Cancel,
    string Pause,
    string Resume,
    string Extend,
    string Retry
)
{
    internal static StudyLinks Of(Guid id) =>
        new(
            $"/studies/{id}",
            $"/studies/{id}/recommendation",
            $"/studies/{id}/report",
            $"/studies/{id}/metrics",
            $"/jobs?study={id}",
            $"/studies/{id}/events",
            $"/studies/{id}/notifications",
            $"/studies/{id}/cancel",
            $"/studies/{id}/pause",
            $"/studies/{id}/resume",
            $"/studies/{id}/extend",
            $"/studies/{id}/retry"
        );
}

/// <summary>A study that was checked and not submitted.</summary>
/// <param name="Spec">The posted spec, with every default filled in.</param>
/// <param name="Arms">The combinations of its grid.</param>
/// <param name="Estimate">Likely cost of the study.</param>
public sealed record CheckedStudyResponse(StudySpec Spec, IReadOnlyList<Arm> Arms, StudyEstimate Estimate);

/// <summary>What a study recommends.</summary>
/// <param name="Study">Id of the study.</param>
/// <param name="IsFinal">Whether all its jobs have ended. Until then the recommendation is preliminary.</param>
/// <param name="Criterion">The criterion, on validation, by which the study chooses an arm.</param>
/// <param name="Epsilon">The ε to use; null when no arm can be judged, for example before any job has succeeded.</param>
/// <param name="Arm">The whole arm to use; null when no arm can be judged.</param>
/// <param name="Temperature">Geometric mean over seeds of the T fitted for that arm; each model has its own. Null when no arm can be
/// judged.</param>
/// <param name="DifferenceExists">Whether any two arms differ significantly.</param>
/// <param name="Tied">The ε of the arms that may be the best. `byLabelNoise[].arms` marks them as `isTied`.</param>
/// <param name="LowestMean">The ε of the arm with the lowest mean loss, even when that may be chance.</param>
/// <param name="Power">The differences that this number of seeds can detect.</param>
/// <param name="MoreSeeds">How many more seeds would probably separate the two tied arms with the lowest means; null when
/// `moreSeedsNote` says why.</param>
/// <param name="MoreSeedsNote">Why `moreSeeds` is null; null when it is a number.</param>
/// <param name="Sentence">The recommendation as a sentence.</param>
/// <param name="Action">What to do: `nothing`, `calibrate` afterwards, `smooth`, train with an `otherLoss` or with `mixup`; null when
/// no arm can be judged.</param>
/// <param name="InShort">The action as a sentence, with whether to calibrate afterwards and whether a comparison supports it; null when
/// no arm can be judged.</param>
/// <param name="Findings">The effects of smoothing, of other losses and of mixup in this study; empty when it has no arm with one of
/// them beside an arm without.</param>
/// <param name="ByLabelNoise">The recommendation for each share of label noise in the grid. The other fields repeat the
/// first.</param>
/// <param name="Predict">Path at which the best job of the recommended arm, by the criterion on validation, takes images; null when
/// no arm can be judged.</param>
public sealed record RecommendationResponse(
    Guid Study,
    bool IsFinal,
    Criterion Criterion,
    double? Epsilon,
    Arm? Arm,
    double? Temperature,
    bool DifferenceExists,
    IReadOnlyList<double> Tied,
    double? LowestMean,
    Power Power,
    int? MoreSeeds,
    string? MoreSeedsNote,
    string Sentence,
    RecommendedAction? Action,
    string? InShort,
    IReadOnlyList<string> Findings,
    IReadOnlyList<Recommendation> ByLabelNoise,
    string? Predict
)
{
    internal static RecommendationResponse Of(StudyState study, IReadOnlyList<StudyJob> jobs, IReadOnlyList<FailedJobs> failed)
    {
        var progress = StudyProgress.Of(study);
        var isFinal = progress.State().IsFinal();
        var counted = jobs.CountedBy(study.Spec.Criterion).Count();
        var all = Recommendation
            .Of(study.Spec, [.. study.Arms.Select(arm => arm.Arm)], jobs, failed, isFinal)
            .Select(one => one with { Sentence = Qualified(one.Sentence, isFinal, progress, jobs.Count, counted) })
            .ToList();
        var first = all[0];
        return new(
            study.Id,
            isFinal,
            study.Spec.Criterion,
            first.Epsilon,
            first.Arm,
            first.Temperature,
            first.DifferenceExists,
            first.Tied,
            first.LowestMean,
            first.Power,
            first.MoreSeeds,
            first.MoreSeedsNote,
            first.Sentence,
            first.Action,
            first.InShort,
            first.Findings,
            all,
            BestJob(study, first.Arm, jobs) is { } job ? $"/jobs/{job.Id}/predict" : null
        );
    }

    private static StudyJob? BestJob(StudyState study, Arm? recommended, IReadOnlyList<StudyJob> jobs) =>
        study.Arms.FirstOrDefault(arm => arm.Arm.Arm == recommended) is { } chosen
            ? jobs.Where(job => job.Arm == chosen.Arm.Number).MinBy(job => job.Scores.Validation.LossBy(study.Spec.Criterion))
            : null;

    /// <summary>
    /// Adds what limits the answer: jobs that are left to run, were cancelled, failed or do not count. Each look at a running
    /// study adds a chance of a wrong conclusion.
    /// </summary>
    private static string Qualified(string sentence, bool isFinal, StudyProgress progress, int scored, int counted)
    {
        if (!isFinal && counted > 0)
            sentence = $"Jobs are left to run; so far it stands like this. {sentence}";
        if (isFinal && progress.Cancelled > progress.Dropped)
            sentence += $" {progress.Cancelled - progress.Dropped} of {progress.Jobs} jobs were cancelled.";
        if (progress.Failed > 0)
            sentence += $" {progress.Failed} of {progress.Jobs} jobs failed.";
        if (progress.Succeeded > scored)
            sentence += NotCounted(progress.Succeeded - scored, "scores");
        if (scored > counted)
            sentence += NotCounted(scored - counted, "the criterion's figure");
        return sentence;

        string NotCounted(int count, string lacking) =>
            $" {count} of {progress.Succeeded} jobs that succeeded do not count: a worker of an older build trained them, without "
            + $"{lacking}.";
    }
}
