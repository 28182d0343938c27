using Hangfire.Common;
using Hangfire.States;

namespace Temper.Worker.Engine;

/// <summary>
/// Changes the states of attempts' jobs for Hangfire's worker, and gives up sooner. An attempt that cannot be noted as Processing goes
/// back, instead of waiting up to 45 s; and an end that cannot be noted is left to the sweep, instead of being replaced by a failure that
/// never happened.
/// </summary>
internal sealed class AttemptStateChanger(ILogger log) : IBackgroundJobStateChanger
{
    private readonly BackgroundJobStateChanger inner = new(JobFilterProviders.Providers);

    public IState? ChangeState(StateChangeContext context)
    {
        // Hangfire's word for a state that it could not set ten times, past every filter.
        if (context is { DisableFilters: true, NewState: FailedState })
            return null;
        try
        {
            return inner.ChangeState(context);
        }
        catch (Exception e) when (context.NewState is ProcessingState)
        {
            log.LogWarning(
                "Hangfire's job {HangfireId} goes back, because it cannot be noted as processing: {Reason}",
                context.BackgroundJobId,
                e.Message
            );
            return null;
        }
    }
}
