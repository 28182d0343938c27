using System.Collections.Concurrent;

namespace Temper.Worker.Slots;

/// <summary>The worker's slots. A slot is lent to a claim, and comes back when the attempt is over.</summary>
internal sealed class SlotPool : IAsyncDisposable
{
    private readonly ISlot[] slots;
    private readonly BlockingCollection<ISlot> free = [];

    public SlotPool(IEnumerable<ISlot> slots)
    {
        this.slots = [.. slots];
        foreach (var slot in this.slots)
            free.Add(slot);
    }

    /// <summary>What the slots hold now.</summary>
    public IEnumerable<Attempt> Attempts => slots.Select(slot => slot.Attempt).OfType<Attempt>();

    /// <summary>Waits until a slot is free.</summary>
    /// <exception cref="OperationCanceledException">It is time to stop.</exception>
    public ISlot Borrow(CancellationToken stopping) => free.Take(stopping);

    /// <summary>To be called once for each slot that was borrowed.</summary>
    public void Return(ISlot slot) => free.Add(slot);

    /// <summary>Waits until every slot has come back. None can be borrowed after that.</summary>
    public async Task DrainAsync()
    {
        for (var i = 0; i < slots.Length; i++)
            await Task.Run(() => free.Take());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var slot in slots)
            await slot.DisposeAsync();
        free.Dispose();
    }
}
