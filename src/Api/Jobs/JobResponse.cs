using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>A job as the API shows it.</summary>
/// <param name="Id">Its name in every URL.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Reason">Why it is in this state, where that needs a word.</param>
/// <param name="IsTerminal">True when the state will not change any more.</param>
/// <param name="Spec">What was asked for, every default filled in.</param>
/// <param name="Targets">What ε means for the labels the model is trained towards.</param>
/// <param name="Progress">How far the running attempt has come, or had come when the job was paused, cancelled or failed; null
/// before its first second, and in every other state.</param>
/// <param name="Attempt">How often it was claimed by a worker.</param>
/// <param name="Failures">How often an attempt crashed or lost its worker since it was submitted or retried; at
/// `spec.maxAttempts` the job fails.</param>
/// <param name="Worker">Who runs it; null unless running.</param>
/// <param name="CreatedAt">When it was submitted.</param>
/// <param name="ClaimedAt">When its latest attempt was claimed.</param>
/// <param name="TrainingStartedAt">When its latest attempt had the data on its device and began the first optimizer step.</param>
/// <param name="FinishedAt">When it reached its final state.</param>
/// <param name="Result">Test-set figures; null until succeeded.</param>
/// <param name="Reproduces">The job whose spec this one runs once more; null for a job of its own.</param>
/// <param name="Study">The study whose job it is; null for a job of its own.</param>
/// <param name="Pinned">Whether retention leaves it alone.</param>
/// <param name="Links">Where to go from here.</param>
/// <param name="Advice">What ε is likely to do here; only in the answer to `POST /jobs`, else null.</param>
public sealed record JobResponse(
    Guid Id,
    ShownState State,
    string? Reason,
    bool IsTerminal,
    JobSpec Spec,
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
    /// <param name="job">With its worker loaded, where it has one.</param>
    internal static JobResponse Of(JobRow job) =>
        new(
            job.Id,
            ShownStates.Of(job.State, job.StopRequested),
            job.Reason,
            job.State.IsFinal(),
            job.Spec,
            TargetsResponse.Of(job.Spec),
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
}

/// <summary>The label distribution that a spec trains towards, in both conventions.</summary>
/// <param name="EpsilonUniform">ε as PyTorch's `label_smoothing` takes it.</param>
/// <param name="EpsilonOthers">The same smoothing in the other convention: the mass taken from the true class.</param>
/// <param name="TrueClass">Target probability of the true class: also the confidence of the loss's optimum where the label is
/// certain.</param>
/// <param name="OtherClass">Target probability of each other class.</param>
/// <param name="Vector">The whole target of an image of the first class, K probabilities.</param>
/// <param name="Entropy">H(q) in nats: trainLoss never falls below it, and trainLoss − H(q) compares over different ε.</param>
/// <param name="LogitGap">How far the optimum's logit of a certain label is above the others; null at ε = 0, where it is infinite.</param>
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
/// <param name="Spec">What was sent, every default filled in.</param>
/// <param name="Targets">What ε means for the labels the model would be trained towards.</param>
/// <param name="Advice">What ε is likely to do here.</param>
public sealed record CheckedSpecResponse(JobSpec Spec, TargetsResponse Targets, SmoothingAdvice Advice);

/// <summary>Paths of what can be done with a job; calibration, logits, model and reproduce once it has succeeded.</summary>
public sealed record JobLinks(
    string Self,
    string Metrics,
    string Attempts,
    string Cancel,
    string Pause,
    string Resume,
    string Retry,
    string Calibration,
    string Logits,
    string Model,
    string Reproduce
)
{
    internal static JobLinks Of(Guid id) =>
        new(
            $"/jobs/{id}",
            $"/jobs/{id}/metrics",
            $"/jobs/{id}/attempts",
            $"/jobs/{id}/cancel",
            $"/jobs/{id}/pause",
            $"/jobs/{id}/resume",
            $"/jobs/{id}/retry",
            $"/jobs/{id}/calibration",
            $"/jobs/{id}/logits?split=test",
            $"/jobs/{id}/model",
            $"/jobs/{id}/reproduce"
        );
}
