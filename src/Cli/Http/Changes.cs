using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Temper.Cli.Http;

/// <summary>A change of a job or of a study.</summary>
/// <param name="Type">`state`, `attempt`, `progress`, `epoch` or `study`.</param>
/// <param name="Data">What has changed, as the API shows it.</param>
internal sealed record Change(string Type, JsonNode Data)
{
    /// <summary>Whether nothing follows it on a stream of this kind.</summary>
    public bool IsLast(bool ofStudy) => Type == (ofStudy ? "study" : "state") && Data["isTerminal"]?.GetValue<bool>() == true;
}

/// <summary>Follows a job or a study until it has ended: by the service's events, or by polls where it has no events.</summary>
/// <param name="path">`jobs/ID` or `studies/ID`.</param>
internal sealed class Changes(Service service, string path)
{
    private const int MostFailures = 8;
    private const string EventStream = "text/event-stream";

    /// <summary>A stream that was open for this time is no failure, even without an event: a job may wait for days.</summary>
    private static readonly TimeSpan Lasting = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan BetweenPolls = TimeSpan.FromSeconds(1),
        LongestDelay = TimeSpan.FromSeconds(10);

    private readonly bool ofStudy = path.StartsWith("studies/", StringComparison.Ordinal);

    /// <exception cref="RefusedException">There is no such job or study, or the key is wrong.</exception>
    /// <exception cref="UnreachableException">The service has not answered for a minute.</exception>
    public async Task FollowAsync(Action<Change> show, CancellationToken cancellation)
    {
        string? last = null;
        for (var failures = 0; ; failures++)
        {
            Stopwatch? open = null;
            Exception? error = null;
            try
            {
                using var answer = await service.OpenAsync(() => EventsAfter(last), cancellation);
                if (answer.StatusCode == HttpStatusCode.NoContent)
                    return; // it has ended, and its last event was given before
                if (answer.Content.Headers.ContentType?.MediaType != EventStream)
                    throw new UnreachableException($"The answer is not {EventStream}. Is it a Temper service?");
                open = Stopwatch.StartNew();
                var events = SseParser.Create(await Body.OfAsync(answer, cancellation));
                await foreach (var one in events.EnumerateAsync(cancellation))
                {
                    (failures, last) = (0, events.LastEventId is { Length: > 0 } id ? id : last);
                    if (JsonNode.Parse(one.Data)?[one.EventType] is not { } data)
                        continue;
                    var change = new Change(one.EventType, data);
                    show(change);
                    if (change.IsLast(ofStudy))
                        return;
                }
            }
            catch (RefusedException e) when (e.Status is 404 or 429)
            {
                // 404: an older service has no events, or there is no such job, which the first poll says. 429: too many streams
                // are open.
                await PollAsync(show, cancellation);
                return;
            }
            catch (Exception e) when (e is UnreachableException or JsonException)
            {
                error = e;
            }
            if (open?.Elapsed >= Lasting)
                failures = 0;
            if (failures == MostFailures)
                throw new UnreachableException($"The service's events break off again and again. {error?.Message}".TrimEnd(), error);
            await Task.Delay(DelayAfter(failures), cancellation);
        }
    }

    private static TimeSpan DelayAfter(int failures)
    {
        var delay = TimeSpan.FromSeconds(0.5 * Math.Pow(2, failures));
        return delay < LongestDelay ? delay : LongestDelay;
    }

    private HttpRequestMessage EventsAfter(string? last)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"{path}/events");
        request.Headers.Add("Accept", EventStream);
        if (last is not null)
            request.Headers.Add("Last-Event-ID", last);
        return request;
    }

    private async Task PollAsync(Action<Change> show, CancellationToken cancellation)
    {
        var epoch = 0;
        for (string? tag = null; ; )
        {
            using var answer = await service.OpenAsync(() => StateAfter(tag), cancellation);
            if (answer.StatusCode != HttpStatusCode.NotModified)
            {
                tag = answer.Headers.ETag?.ToString();
                var state = await service.JsonOfAsync(answer, cancellation);
                if (!ofStudy)
                    epoch = await ShowEpochsAsync(epoch, show, cancellation);
                if (state["progress"] is { } progress && !ofStudy)
                    show(new("progress", progress));
                var change = new Change(ofStudy ? "study" : "state", state);
                show(change);
                if (change.IsLast(ofStudy))
                    return;
            }
            if (tag is null || !answer.Headers.Contains("Preference-Applied"))
                await Task.Delay(BetweenPolls, cancellation);
        }
    }

    private HttpRequestMessage StateAfter(string? tag)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Prefer", "wait=20");
        if (tag is not null)
            request.Headers.Add("If-None-Match", tag);
        return request;
    }

    private async Task<int> ShowEpochsAsync(int after, Action<Change> show, CancellationToken cancellation)
    {
        var metrics = await service.GetAsync($"{path}/metrics?since={after.ToString(CultureInfo.InvariantCulture)}", cancellation);
        foreach (var epoch in metrics["items"]!.AsArray())
        {
            show(new("epoch", epoch!));
            after = epoch!["epoch"]!.GetValue<int>();
        }
        return after;
    }
}
