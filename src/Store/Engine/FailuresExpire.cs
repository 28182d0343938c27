using Hangfire.Common;
using Hangfire.States;
using Hangfire.Storage;

namespace Temper.Store.Engine;

/// <summary>Lets failed jobs expire after 7 days. By default Hangfire keeps them until a user deletes them.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class FailuresExpireAttribute : JobFilterAttribute, IElectStateFilter, IApplyStateFilter
{
    private static readonly TimeSpan Kept = TimeSpan.FromDays(7);

    public FailuresExpireAttribute() => Order = int.MaxValue; // after AutomaticRetry, which retries most failures

    public void OnStateElection(ElectStateContext context)
    {
        if (context.CandidateState is FailedState failed and not ExpiringFailure)
            context.CandidateState = new ExpiringFailure(failed.Exception) { Reason = failed.Reason };
    }

    public void OnStateApplied(ApplyStateContext context, IWriteOnlyTransaction transaction)
    {
        if (context.NewState is ExpiringFailure)
            context.JobExpirationTimeout = Kept;
    }

    public void OnStateUnapplied(ApplyStateContext context, IWriteOnlyTransaction transaction) { }
}

/// <summary>A failure that Hangfire lets expire, as it does with every final state.</summary>
public sealed class ExpiringFailure(Exception exception) : FailedState(exception), IState
{
    bool IState.IsFinal => true;
}
