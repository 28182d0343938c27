using Hangfire.Common;
using Hangfire.States;
using Hangfire.Storage;

namespace Temper.Store.Engine;

/// <summary>
/// Gives the job of an attempt the state that says how the attempt ended, and refuses every other change: whether a training runs
/// again is decided in the jobs table, by the verbs of the API.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AttemptStatesAttribute : JobFilterAttribute, IElectStateFilter, IApplyStateFilter
{
    /// <exception cref="InvalidOperationException">Somebody wants the attempt's job requeued or deleted by hand.</exception>
    public void OnStateElection(ElectStateContext context) => context.CandidateState = context.CandidateState switch
    {
        // Where the worker could not tell it itself.
        SucceededState { Result: AttemptResult { Outcome: "failed" } over } => new FailedAttempt(new AttemptFailedException(over.Reason ?? "")) { Reason = over.Reason },
        SucceededState { Result: AttemptResult { Outcome: not "succeeded" } over } => new StoppedAttempt(over),
        ProcessingState or SucceededState or StoppedAttempt or FailedAttempt => context.CandidateState,
        FailedState failed => new FailedAttempt(failed.Exception) { Reason = failed.Reason },
        var other => throw new InvalidOperationException($"The job of an attempt is not {other.Name.ToLowerInvariant()} by hand: POST /jobs/{{id}}/retry, /cancel or /pause."),
    };

    public void OnStateApplied(ApplyStateContext context, IWriteOnlyTransaction transaction)
    {
        if (context.NewState is FailedAttempt) context.JobExpirationTimeout = FailuresExpireAttribute.Kept;
    }

    public void OnStateUnapplied(ApplyStateContext context, IWriteOnlyTransaction transaction)
    {
    }
}

/// <summary>An attempt that its worker or its user stopped, or that was lost to a rescue.</summary>
public sealed class StoppedAttempt : DeletedState
{
    public StoppedAttempt(AttemptResult over) => Reason = over.Reason is null ? over.Outcome : $"{over.Outcome}: {over.Reason}";
}

/// <summary>A failed attempt. Unlike Hangfire's failed jobs it expires: what failed for good is in the history of the attempts.</summary>
public sealed class FailedAttempt(Exception exception) : FailedState(exception), IState
{
    bool IState.IsFinal => true;
}
