using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using Temper.Api.Access;
using Temper.Api.Http;
using Temper.Api.Live;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Events;

namespace Temper.Api.Events;

/// <summary>
/// Opens streams. A stream first subscribes, then reads from the database what its client has missed, and then sends the events
/// of the subscription that this read did not contain.
/// </summary>
internal sealed class EventStreams(
    EventHub hub,
    EventReader reader,
    StreamLimit limit,
    KeyLookups keys,
    Overload overload,
    Reconnection reconnection
)
{
    private static readonly Position Start = new(Snapshot.Empty, null);

    /// <param name="header">Last-Event-ID; null or empty without one.</param>
    /// <param name="query">The same from the query.</param>
    public async Task<IResult> OpenAsync(HttpContext context, EventScope scope, string? header, string? query)
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(context.Request, errors, "lastEventId");
        var (name, text) = string.IsNullOrEmpty(header) ? ("lastEventId", query) : ("last-event-id", header);
        var after = string.IsNullOrEmpty(text) ? Start : Position.Parse(text);
        if (after is null)
            errors.TryAdd(name, ["must be the id of an event of such a stream"]);
        if (errors.Count > 0)
            return Problems.Invalid("The request is wrong.", errors);

        var cancellation = context.RequestAborted;
        if (await IsOverAsync(scope, cancellation) is not { } isOver)
            return scope.Job is { } job ? Problems.NoSuchJob(job) : Problems.NoSuchStudy(scope.Study!.Value);
        context.Response.Headers["X-Accel-Buffering"] = "no"; // for nginx, which would keep events back
        if (HttpMethods.IsHead(context.Request.Method))
            return TypedResults.Text("", "text/event-stream");
        if (limit.TryTake(context) is not { } place)
            return limit.Refuse(context);
        if (!after!.IsStart) // what was missed is read outside the limit of requests
            return new Later(() =>
                reconnection.AgainAsync(() => overload.CatchUpAsync(context, () => BeginAsync(context, scope, after, isOver)))
            );
        try
        {
            return await BeginAsync(context, scope, after, isOver);
        }
        catch
        {
            place.Dispose(); // the request may be repeated
            throw;
        }
    }

    private async Task<IResult> BeginAsync(HttpContext context, EventScope scope, Position after, bool isOver)
    {
        var cancellation = context.RequestAborted;
        Subscription? live = null;
        Changes? missed;
        try
        {
            live = await hub.SubscribeAsync(scope, context.Abort, cancellation);
            context.Response.RegisterForDispose(live);
            missed = await MissedAsync(scope, after, cancellation);
        }
        catch
        {
            live?.Dispose(); // it may be repeated
            throw;
        }
        // The answer 204 tells an EventSource not to connect again.
        if (missed is null || (isOver && missed is { Items.Count: 0, HasMore: false }))
            return TypedResults.NoContent();
        return TypedResults.ServerSentEvents(EventsAsync(context, scope, missed, isOver ? null : live, cancellation));
    }

    /// <returns>Whether the job or study has ended; null when there is none.</returns>
    private async Task<bool?> IsOverAsync(EventScope scope, CancellationToken cancellation)
    {
        if (scope.Job is { } job)
            return (await reader.StateAsync(job, cancellation))?.IsFinal();
        if (scope.Study is { } study)
            return await reader.StudyAsync(study, cancellation) is { } found ? StudyStateEvent.Of(found).IsTerminal : null;
        return false;
    }

    /// <returns>The first of the changes that the client has missed; null when its job or study is gone.</returns>
    private async Task<Changes?> MissedAsync(EventScope scope, Position after, CancellationToken cancellation)
    {
        // Another server may have given the id, before the database was restored from a dump. A job has few rows, however long its
        // client was away.
        if (
            !after.IsStart
            && await reader.NowAsync(cancellation) is var now
            && (
                after.Seen.Next > now.Next
                || after.Rest >= now.Next
                || (scope.Job is null && await reader.IsFarBehindAsync(after, cancellation))
            )
        )
            after = Start;
        return scope switch
        {
            { Study: { } study } when after.IsStart => await reader.ReadStudyAsync(study, cancellation),
            { Job: null } when after.IsStart => new([], await reader.NowAsync(cancellation), HasMore: false),
            _ => await NextAsync(scope, after, cancellation),
        };
    }

    private Task<Changes> NextAsync(EventScope scope, Position after, CancellationToken cancellation) =>
        reader.ReadAsync(scope, after, scope.Job is null ? (_, _) => true : null, cancellation);

    /// <param name="live">Null when the job or study had ended before.</param>
    private async IAsyncEnumerable<SseItem<byte[]>> EventsAsync(
        HttpContext context,
        EventScope scope,
        Changes missed,
        Subscription? live,
        [EnumeratorCancellation] CancellationToken cancellation
    )
    {
        await BeatAsync(context.Response, cancellation); // sends the headers at once
        var access = new HeldAccess(keys, context);
        Change? end = null;
        while (await access.HoldsAsync())
        {
            foreach (var change in missed.Items)
            {
                if (!await access.HoldsAsync())
                    yield break;
                // The counts of a study are those of now, also on the first of several pages. Its end must come last.
                if (change.GetType() == end?.GetType())
                    end = null;
                if (ServerEvent.Ends(scope, change))
                    end = change;
                else
                    yield return ServerEvent.Of(change);
            }
            var position = new Position(missed.End, null);
            if (missed is { Items.Count: 0, HasMore: true })
                await BeatAsync(context.Response, cancellation, position); // a client that breaks off does not begin anew
            if (!missed.HasMore)
            {
                if (end is not null)
                    yield return ServerEvent.Of(end with { Position = position });
                if (end is not null || live is null)
                    yield break;
                bool lags;
                do
                {
                    while (live.Events.TryRead(out var one))
                    {
                        if (!await access.HoldsAsync(isDue: one == LiveEvent.Heartbeat))
                            yield break;
                        if (one == LiveEvent.Heartbeat)
                        {
                            await BeatAsync(context.Response, cancellation);
                            continue;
                        }
                        if (one.Change is not { } change)
                        {
                            yield return Shared(one);
                            continue;
                        }
                        // A study's key names one of several transactions: not all of them may be among the missed.
                        if (missed.End.Sees(change.Key.Transaction) && change is not StudyChange)
                            continue;
                        var isAhead = change.Position.Seen.Includes(missed.End);
                        position = isAhead ? change.Position : new(change.Position.Seen.Union(missed.End), change.Key);
                        yield return isAhead ? Shared(one) : ServerEvent.Of(change with { Position = position });
                        if (ServerEvent.Ends(scope, change))
                            yield break;
                    }
                } while (!(lags = live.TakeLag()) && await live.Events.WaitToReadAsync(cancellation));
                if (!lags)
                    yield break; // the subscription has ended
            }
            var page = NextOrNullAsync(context, scope, position);
            while (await Task.WhenAny(page, Task.Delay(EventHub.HeartbeatEvery, cancellation)) != page) // its turn has not come
            {
                if (!await access.HoldsAsync(isDue: true))
                    yield break;
                await BeatAsync(context.Response, cancellation);
            }
            if (await page is not { } next)
                yield break;
            missed = next;
        }
    }

    /// <summary>The first stream that sends an event makes its text for all.</summary>
    private static SseItem<byte[]> Shared(LiveEvent one) => (one.Item ??= new(ServerEvent.Of(one))).Value;

    /// <returns>Null when the database does not answer: the stream ends, and its client continues with another.</returns>
    private async Task<Changes?> NextOrNullAsync(HttpContext context, EventScope scope, Position after)
    {
        try
        {
            return await overload.CatchUpAsync(context, () => NextAsync(scope, after, context.RequestAborted));
        }
        catch (Exception e) when (Outage.Behind(e) is not null)
        {
            return null;
        }
    }

    /// <param name="position">The id with which the client is to continue; null leaves its last.</param>
    private static async Task BeatAsync(HttpResponse response, CancellationToken cancellation, Position? position = null)
    {
        var text = position is null ? ": heartbeat\n\n" : $": heartbeat\nid: {position}\n\n";
        await response.Body.WriteAsync(Encoding.ASCII.GetBytes(text), cancellation);
        await response.Body.FlushAsync(cancellation);
    }

    /// <summary>An answer that is made after the filters of the endpoint.</summary>
    private sealed class Later(Func<Task<IResult>> make) : IResult
    {
        public async Task ExecuteAsync(HttpContext context) => await (await make()).ExecuteAsync(context);
    }
}
