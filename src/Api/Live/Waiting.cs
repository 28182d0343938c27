using Temper.Api.Http;
using Temper.Store.Events;

namespace Temper.Api.Live;

/// <summary>
/// An answer that waits until it has something to tell. The wait does not count as a request being worked on: it begins after the
/// filters of the endpoint.
/// </summary>
/// <param name="look">Gives the answer as it is now, and whether it has something to tell.</param>
/// <param name="isReason">Whether to look again after this event.</param>
internal sealed class Waiting(
    EventScope scope,
    int seconds,
    Func<Task<(IResult Answer, bool IsReady)>> look,
    Func<LiveEvent, bool> isReason
) : IResult
{
    public async Task ExecuteAsync(HttpContext context)
    {
        var limit = context.RequestServices.GetRequiredService<StreamLimit>();
        if (limit.TryTake(context) is null)
        {
            await limit.Refuse(context).ExecuteAsync(context);
            return;
        }
        var hub = context.RequestServices.GetRequiredService<EventHub>();
        var reconnection = context.RequestServices.GetRequiredService<Reconnection>();
        var overload = context.RequestServices.GetRequiredService<Overload>();
        using var live = await reconnection.AgainAsync(() => hub.SubscribeAsync(scope, context.Abort, context.RequestAborted));
        using var time = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        time.CancelAfter(TimeSpan.FromSeconds(seconds));
        var (answer, isReady) = await LookAsync();
        while (!isReady)
        {
            var isOver = !await HasReasonAsync(live, time.Token);
            if (context.RequestAborted.IsCancellationRequested)
                return;
            (answer, isReady) = await LookAsync();
            isReady |= isOver;
        }
        context.Response.Headers["Preference-Applied"] = $"wait={seconds}";
        await answer.ExecuteWithoutTagOfOthersAsync(context);

        // A look is work as that of other requests: many waiting ones may look at once.
        Task<(IResult Answer, bool IsReady)> LookAsync() =>
            overload.LimitAsync(context, () => reconnection.AgainAsync(look), refusal => (refusal, true));
    }

    /// <returns>False when the time is over or the subscription has ended.</returns>
    private async Task<bool> HasReasonAsync(Subscription live, CancellationToken time)
    {
        try
        {
            while (await live.Events.WaitToReadAsync(time))
            {
                var found = false;
                while (live.Events.TryRead(out var one))
                    found |= one != LiveEvent.Heartbeat && isReason(one);
                if (live.TakeLag() || found)
                    return true;
            }
            return false;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
