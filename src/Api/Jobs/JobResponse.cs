using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Store;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>A job as the API shows it.</summary>
/// <param name="Id">Id of the job, used in every URL.</param>
/// <param name="State">State of the job.</param>
/// <param name="Reason">Why it is in this state; null where the state needs no explanation.</param>
/// <param name="IsTerminal">True when the job has ended: succeeded, failed or cancelled.</param>
/// <param name="Spec">The submitted spec, with every default filled in.</param>
/// <param name="SpecRevision">The lowest revision of the spec format that a worker must know to claim the job.</param>
/// <param name="Targets">The label distribution that the model is trained towards at this ε; hard labels with a loss other than
/// `crossEntropy`.</param>
/// <param name="Progress">Progress of the running attempt, or its last progress when the job was paused, cancelled or failed;
/// null in the attempt's first second, and in every other state.</param>
/// <param name="Attempt">How many times workers have claimed the job.</param>
/// <param name="Failures">How many attempts crashed or lost their worker since the job was submitted or retried. The job fails
/// at `spec.maxAttempts`.</param>
/// <param name="Worker">The worker that runs the job; null unless it is running.</param>
/// <param name="CreatedAt">When it was submitted.</param>
/// <param name="ClaimedAt">When its latest attempt was claimed.</param>
/// <param name="TrainingStartedAt">When its latest attempt had its data on the device and began the first optimizer step.</param>
/// <param name="FinishedAt">When it reached its final state.</param>
/// <param name="Result">Figures on the test set; null until the job has succeeded.</param>
/// <param name="Reproduces">The job whose spec this one repeats; null when it repeats none.</param>
/// <param name="Study">The study that the job belongs to; null when it belongs to none.</param>
/// <param name="Pinned">True when retention removes nothing of the job.</param>
/// <param name="Links">Paths of the operations on the job.</param>
/// <param name="Advice">The likely effect of this loss and ε; null except in the answer to `POST /jobs`.</param>
public sealed record JobResponse(
    Guid Id,
    ShownState State,
    string? Reason,
    bool IsTerminal,
    JobSpec Spec,
    int SpecRevision,
    TargetsResponse Targets,
    TrainingProgress? Progress,
    int Attempt,
    int Failures,
    string? Worker,
    DateTimeOffset CreatedAt,
    DateTimeOffset? ClaimedAt,
    DateTimeOffset? TrainingStartedAt,
    DateTimeOffset? FinishedAt,
    JobResult? Result,
    Guid? Reproduces,
    Guid? Study,
    bool Pinned,
    JobLinks Links,
    SmoothingAdvice? Advice = null
)
{
    /// <param name="job">The job, with its worker (if any) loaded.</param>
    /// <exception cref="NewerBuildException">Its spec has a data set or an ε that this build does not know.</exception>
    internal static JobResponse Of(JobRow job) =>
        new(
            job.Id,
            ShownStates.Of(job.State, job.StopRequested),
            job.Reason,
            job.State.IsFinal(),
            job.Spec,
            job.SpecRevision,
            TargetsOf(job),
            job.Progress,
            job.Attempt,
            job.Failures,
            job.Worker?.Name,
            job.CreatedAt,
            job.ClaimedAt,
            job.TrainingStartedAt,
            job.FinishedAt,
            job.Result,
            job.Reproduces,
            job.StudyId,
            job.Pinned,
            JobLinks.Of(job.Id)
        );

    private static TargetsResponse TargetsOf(JobRow job)
    {
        try
        {
            return TargetsResponse.Of(job.Spec);
        }
        catch (ArgumentException e)
        {
            throw new NewerBuildException($"This build cannot show job {job.Id}, which another build stored: {e.Message}", e);
        }
    }
}

/// <summary>The label distribution that a spec trains towards, in both conventions.</summary>
/// <param name="EpsilonUniform">ε in the convention of PyTorch's `label_smoothing`.</param>
/// <param name="EpsilonOthers">The same smoothing in the other convention: the mass taken from the true class.</param>
/// <param name="TrueClass">Target probability of the true class. It is also the confidence at the optimum of the loss when the
/// label is certain.</param>
/// <param name="OtherClass">Target probability of each other class.</param>
/// <param name="Vector">The whole target of an image of the first class: K probabilities.</param>
/// <param name="Entropy">H(q) in nats. With `crossEntropy` trainLoss never falls below it, and trainLoss − H(q) can be compared between
/// ε.</param>
/// <param name="LogitGap">Logit of the true class minus that of the others at the optimum, when the label is certain; null at
/// ε = 0, where it is infinite.</param>
public sealed record TargetsResponse(
    double EpsilonUniform,
    double EpsilonOthers,
    double TrueClass,
    double OtherClass,
    IReadOnlyList<double> Vector,
    double Entropy,
    double? LogitGap
)
{
    internal static TargetsResponse Of(JobSpec spec)
    {
        var smoothing = spec.LabelSmoothing();
        return new(
            smoothing.EpsilonUniform,
            smoothing.EpsilonOthers,
            smoothing.TrueClassTarget,
            smoothing.OtherClassTarget,
            smoothing.Targets(0),
            smoothing.TargetEntropy,
            smoothing.LogitGap
        );
    }
}

/// <summary>A spec that was checked and not submitted.</summary>
/// <param name="Spec">The posted spec, with every default filled in.</param>
/// <param name="Targets">The label distribution that the model would be trained towards at this ε.</param>
/// <param name="Advice">The likely effect of this loss and ε.</param>
public sealed record CheckedSpecResponse(JobSpec Spec, TargetsResponse Targets, SmoothingAdvice Advice);

/// <summary>Paths of the operations on a job. Calibration, corruptions, logits, model and reproduce need a job that has
/// succeeded.</summary>
public sealed record JobLinks(
    string Self,
    string Metrics,
    string Tensorboard,
    string Attempts,
    string Events,
    string Notifications,
    string Cancel,
    string Pause,
    string Resume,
    string Retry,
    string Calibration,
    string Corruptions,
    string Logits,
    string Model,
    string Predict,
    string Reproduce
)
{
    internal static JobLinks Of(Guid id) =>
        new(
            $"/jobs/{id}",
            $"/jobs/{id}/metrics",
            $"/jobs/{id}/tensorboard",
            $"/jobs/{id}/attempts",
            $"/jobs/{id}/events",
            $"/jobs/{id}/notifications",
            $"/jobs/{id}/cancel",
            $"/jobs/{id}/pause",
            $"/jobs/{id}/resume",
            $"/jobs/{id}/retry",
            $"/jobs/{id}/calibration",
            $"/jobs/{id}/corruptions",
            $"/jobs/{id}/logits?split=test",
            $"/jobs/{id}/model",
            $"/jobs/{id}/predict",
            $"/jobs/{id}/reproduce"
        );
}
