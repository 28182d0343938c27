using System.Collections.Concurrent;

namespace Temper.Worker.Slots;

/// <summary>The worker's slots. A claim borrows a slot, which returns to the pool when the attempt is over.</summary>
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

    public IReadOnlyList<ISlot> All => slots;

    /// <summary>The attempts that the slots hold now.</summary>
    public IEnumerable<Attempt> Attempts => slots.Select(slot => slot.Attempt).OfType<Attempt>();

    /// <summary>Images per second of each slot by its number: null without a job, 0 before the job's first report.</summary>
    public IEnumerable<double?> Rates() =>
        slots.Select(slot => slot.Attempt is { } attempt ? attempt.Progress?.ImagesPerSecond ?? 0 : (double?)null);

    /// <summary>Waits until a slot is free.</summary>
    /// <exception cref="OperationCanceledException">The worker is stopping.</exception>
    public ISlot Borrow(CancellationToken stopping) => free.Take(stopping);

    /// <summary>Call it once for each borrowed slot.</summary>
    public void Return(ISlot slot) => free.Add(slot);

    /// <summary>Waits until every slot has returned. No slot can be borrowed after that.</summary>
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
