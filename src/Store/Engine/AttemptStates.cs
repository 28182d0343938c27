using Hangfire.Common;
using Hangfire.States;

namespace Temper.Store.Engine;

/// <summary>
/// Gives the Hangfire job of an attempt the state that matches the attempt's outcome. It refuses all other changes, such as
/// a requeue by hand, because the jobs table and the API's verbs decide whether a training runs again.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class AttemptStatesAttribute : JobFilterAttribute, IElectStateFilter
{
    /// <exception cref="InvalidOperationException">A user requeues or deletes the attempt's Hangfire job by hand.</exception>
    public void OnStateElection(ElectStateContext context) =>
        context.CandidateState = context.CandidateState switch
        {
            // This case applies when the worker could not set the final state itself.
            SucceededState { Result: AttemptResult { Outcome: not "succeeded" } over } => over.ToState(),
            ProcessingState or SucceededState or StoppedAttempt or FailedState => context.CandidateState,
            var other => throw new InvalidOperationException(
                $"The job of an attempt is not {other.Name.ToLowerInvariant()} by hand: POST /jobs/{{id}}/retry, /cancel or /pause."
            ),
        };
}

/// <summary>The state of an attempt that its worker or its user stopped, or that a rescue ended as lost.</summary>
public sealed class StoppedAttempt : DeletedState
{
    public StoppedAttempt(AttemptResult over) => Reason = over.Reason is null ? over.Outcome : $"{over.Outcome}: {over.Reason}";
}
