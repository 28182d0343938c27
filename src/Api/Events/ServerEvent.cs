using System.Net.ServerSentEvents;
using System.Text.Json;
using Temper.Api.Jobs;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Events;

namespace Temper.Api.Events;

/// <summary>An event in the form in which it is sent. All streams that send it share its bytes.</summary>
/// <param name="Key">Its place in the order of changes; null for progress and heartbeats.</param>
/// <param name="IsTerminal">Whether a job or a study has ended with it.</param>
/// <param name="Item">Null for a heartbeat.</param>
internal sealed record ServerEvent(EventKey? Key, bool IsTerminal, SseItem<byte[]>? Item)
{
    public static ServerEvent Heartbeat { get; } = new(null, false, null);

    public static ServerEvent Of(Change change) =>
        change switch
        {
            StateChange state => Of(
                "state",
                change,
                new JobEvent(state.Job, state.Study) { State = JobStateEvent.Of(state) },
                state.State.IsFinal()
            ),
            AttemptChange attempt => Of(
                "attempt",
                change,
                new JobEvent(attempt.Job, attempt.Study) { Attempt = AttemptResponse.Of(attempt) }
            ),
            EpochChange epoch => Of("epoch", change, new JobEvent(epoch.Job, epoch.Study) { Epoch = epoch.Metrics }),
            StudyChange { Study: var study } when StudyStateEvent.Of(study) is var state => Of(
                "study",
                change,
                new StudyEvent(study.Id, state),
                state.IsTerminal
            ),
            _ => throw new ArgumentException($"{change.GetType().Name} has no event.", nameof(change)),
        };

    public static ServerEvent Of(Progress progress) =>
        new(null, false, new(Bytes(new JobEvent(progress.Job, progress.Study) { Progress = progress.Training }), "progress"));

    /// <summary>Whether a stream of this scope ends with the event.</summary>
    public bool Ends(EventScope scope) => IsTerminal && (Key?.Kind == EventKind.Study ? scope.Study : scope.Job) is not null;

    private static ServerEvent Of<T>(string type, Change change, T data, bool isTerminal = false) =>
        new(change.Key, isTerminal, new(Bytes(data), type) { EventId = $"{change.Position}" });

    private static byte[] Bytes<T>(T data) => JsonSerializer.SerializeToUtf8Bytes(data, Json.Options);
}
