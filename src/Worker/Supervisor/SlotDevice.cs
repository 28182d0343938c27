namespace Temper.Worker.Supervisor;

/// <summary>
/// What a group of slots trains on: one card or, on a worker without cards, whatever its runners find. Each has a breaker of its
/// own.
/// </summary>
/// <param name="card">The card as it was at the worker's start; null on a worker without cards.</param>
internal sealed class SlotDevice(Card? card, Breaker breaker)
{
    private volatile Card? card = card;
    private volatile bool isListed = true;

    public Breaker Breaker => breaker;

    /// <summary>The latest sample of the card; null on a worker without cards.</summary>
    public Card? Card => card;

    /// <summary>False when the last list of nvidia-smi lacked the card.</summary>
    public bool IsListed => isListed;

    /// <summary>Why its slots take no jobs; null when they do.</summary>
    public string? SetAsideReason => isListed ? breaker.SetAsideReason : "nvidia-smi does not list the card any more.";

    /// <param name="cards">What nvidia-smi listed; null when it failed.</param>
    public void Update(IReadOnlyList<Card>? cards)
    {
        if (card is not { } known)
            return;
        var sample = cards?.FirstOrDefault(one => one.Uuid == known.Uuid);
        // Figures that are no longer known are not shown.
        card = sample ?? known with { MemoryUsedMiB = null, UtilizationPercent = null };
        if (cards is not null)
            isListed = sample is not null;
    }

    public override string ToString() => card is { } known ? $"Card {known.Index} ({known.Uuid})" : "The worker";
}
