using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Temper.Store.Events;

namespace Temper.Api.Live;

/// <summary>A change or a progress that the hub hands to all subscriptions that want it, or neither: a heartbeat.</summary>
internal sealed class LiveEvent(Change? change, Progress? progress)
{
    public static LiveEvent Heartbeat { get; } = new(null, null);

    public Change? Change => change;

    public Progress? Progress => progress;

    /// <summary>The event as it is sent. The first stream that sends it sets this for the others.</summary>
    public StrongBox<SseItem<byte[]>>? Item { get; set; }
}
