using Hangfire.Common;
using Hangfire.States;

namespace Temper.Store.Engine;

/// <summary>
/// Gives the job of an attempt the state that says how the attempt ended, and refuses every other change: whether a training runs
/// again is decided in the jobs table, by the verbs of the API.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AttemptStatesAttribute : JobFilterAttribute, IElectStateFilter
{
    /// <exception cref="InvalidOperationException">Somebody wants the attempt's job requeued or deleted by hand.</exception>
    public void OnStateElection(ElectStateContext context) =>
        context.CandidateState = context.CandidateState switch
        {
            // Where the worker could not tell it itself.
            SucceededState { Result: AttemptResult { Outcome: not "succeeded" } over } => over.ToState(),
            ProcessingState or SucceededState or StoppedAttempt or FailedState => context.CandidateState,
            var other => throw new InvalidOperationException(
                $"The job of an attempt is not {other.Name.ToLowerInvariant()} by hand: POST /jobs/{{id}}/retry, /cancel or /pause."
            ),
        };
}

/// <summary>An attempt that its worker or its user stopped, or that was lost to a rescue.</summary>
public sealed class StoppedAttempt : DeletedState
{
    public StoppedAttempt(AttemptResult over) => Reason = over.Reason is null ? over.Outcome : $"{over.Outcome}: {over.Reason}";
}
