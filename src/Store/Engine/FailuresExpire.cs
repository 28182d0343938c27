using Hangfire.Common;
using Hangfire.States;
using Hangfire.Storage;

namespace Temper.Store.Engine;

/// <summary>Lets failed jobs expire. Hangfire keeps them until somebody deletes them.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class FailuresExpireAttribute : JobFilterAttribute, IElectStateFilter, IApplyStateFilter
{
    public static readonly TimeSpan Kept = TimeSpan.FromDays(7);

    public FailuresExpireAttribute() => Order = int.MaxValue; // after AutomaticRetry, which makes another attempt of most failures

    public void OnStateElection(ElectStateContext context)
    {
        if (context.CandidateState is FailedState failed and not ExpiringFailure) context.CandidateState = new ExpiringFailure(failed);
    }

    public void OnStateApplied(ApplyStateContext context, IWriteOnlyTransaction transaction)
    {
        if (context.NewState is ExpiringFailure) context.JobExpirationTimeout = Kept;
    }

    public void OnStateUnapplied(ApplyStateContext context, IWriteOnlyTransaction transaction)
    {
    }

    private sealed class ExpiringFailure : FailedState, IState
    {
        public ExpiringFailure(FailedState failed) : base(failed.Exception) => Reason = failed.Reason;

        bool IState.IsFinal => true;
    }
}
