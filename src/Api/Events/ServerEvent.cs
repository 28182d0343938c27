using System.Net.ServerSentEvents;
using System.Text.Json;
using Temper.Api.Jobs;
using Temper.Api.Live;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Events;

namespace Temper.Api.Events;

/// <summary>Makes the events that are sent.</summary>
internal static class ServerEvent
{
    /// <param name="one">No heartbeat.</param>
    public static SseItem<byte[]> Of(LiveEvent one) =>
        one.Progress is { } progress
            ? Of("progress", null, new JobEvent(progress.Job, progress.Study) { Progress = progress.Training })
            : Of(one.Change!);

    public static SseItem<byte[]> Of(Change change) =>
        change switch
        {
            StateChange state => Of("state", change, new JobEvent(state.Job, state.Study) { State = JobStateEvent.Of(state) }),
            AttemptChange attempt => Of(
                "attempt",
                change,
                new JobEvent(attempt.Job, attempt.Study) { Attempt = AttemptResponse.Of(attempt) }
            ),
            EpochChange epoch => Of("epoch", change, new JobEvent(epoch.Job, epoch.Study) { Epoch = epoch.Metrics }),
            StudyChange study => Of("study", change, new StudyEvent(study.Study.Id, StudyStateEvent.Of(study.Study))),
            _ => throw new ArgumentException($"{change.GetType().Name} has no event.", nameof(change)),
        };

    /// <summary>Whether a stream of this scope ends after the change: its job or its study has ended.</summary>
    public static bool Ends(EventScope scope, Change? change) =>
        change switch
        {
            StateChange state => scope.Job is not null && state.State.IsFinal(),
            StudyChange study => scope.Study is not null && StudyStateEvent.Of(study.Study).IsTerminal,
            _ => false,
        };

    private static SseItem<byte[]> Of<T>(string type, Change? change, T data) =>
        new(JsonSerializer.SerializeToUtf8Bytes(data, Json.Options), type) { EventId = change?.Position.ToString() };
}
