using System.Threading.Channels;
using Temper.Store.Events;

namespace Temper.Api.Live;

/// <summary>The events of a scope from the moment of subscription on. Dispose it to end it.</summary>
/// <param name="abort">Breaks the client's connection.</param>
/// <param name="end">Removes the subscription from the hub.</param>
internal sealed class Subscription(EventScope scope, Action abort, Action<Subscription> end) : IDisposable
{
    /// <summary>Events that wait for a client. When more come, the subscription lags.</summary>
    private const int Capacity = 1024;

    private readonly Lock gate = new();
    private bool isLagging,
        isComplete;

    private readonly Channel<LiveEvent> events = Channel.CreateBounded<LiveEvent>(
        new BoundedChannelOptions(Capacity) { SingleReader = true }
    );

    public EventScope Scope => scope;

    /// <summary>Completes when the subscription has ended.</summary>
    public ChannelReader<LiveEvent> Events => events.Reader;

    public void Send(LiveEvent one)
    {
        lock (gate)
            isLagging |= !isComplete && !isLagging && !events.Writer.TryWrite(one);
    }

    /// <summary>
    /// Whether events were left out since those that waited. The client, which has read these, must then read the database. The
    /// subscription goes on with all that happens from now on.
    /// </summary>
    public bool TakeLag()
    {
        lock (gate)
        {
            var lagged = isLagging;
            isLagging = false;
            return lagged;
        }
    }

    /// <summary>The client gets the events that wait, and no more.</summary>
    public void Complete()
    {
        lock (gate)
            isComplete = true;
        events.Writer.TryComplete();
    }

    /// <summary>Breaks the connection of a client that does not read.</summary>
    public void Abort() => abort();

    public void Dispose()
    {
        end(this);
        Complete();
    }
}
