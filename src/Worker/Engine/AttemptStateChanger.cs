using Hangfire.Common;
using Hangfire.States;

namespace Temper.Worker.Engine;

/// <summary>
/// Changes the states of attempts' Hangfire jobs, and gives up sooner than Hangfire does. If Hangfire cannot store Processing,
/// the attempt goes back to the queue instead of waiting up to 45 s. If Hangfire cannot store the final state, the sweep stores
/// it later; Hangfire would store a failure that never happened.
/// </summary>
internal sealed class AttemptStateChanger(ILogger log) : IBackgroundJobStateChanger
{
    private readonly BackgroundJobStateChanger inner = new(JobFilterProviders.Providers);

    public IState? ChangeState(StateChangeContext context)
    {
        // Hangfire sets Failed without filters after it could not set another state in ten tries.
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
