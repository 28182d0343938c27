using Temper.Domain.Jobs;
using Temper.Domain.Workers;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>
/// The devices of a worker: one for each card, or a single one without a card. While the worker runs, the cards are sampled at
/// intervals by a task of its own, so nvidia-smi may hang or fail and nothing waits for it.
/// </summary>
internal sealed class SlotDevices
{
    private static readonly TimeSpan ListLimit = TimeSpan.FromSeconds(10),
        RetryDelay = TimeSpan.FromSeconds(5);

    private readonly NvidiaSmi nvidiaSmi;
    private readonly ILogger log;
    private string? lastFailure;

    private SlotDevices(IReadOnlyList<SlotDevice> all, int slotsOfEach, bool areHidden, NvidiaSmi nvidiaSmi, ILogger log) =>
        (All, Slots, AreHidden, this.nvidiaSmi, this.log) = (all, all.Count * slotsOfEach, areHidden, nvidiaSmi, log);

    public IReadOnlyList<SlotDevice> All { get; }

    /// <summary>Slots of all devices.</summary>
    public int Slots { get; }

    /// <summary>Whether no runner may see a card.</summary>
    private bool AreHidden { get; }

    /// <summary>Why no slot takes jobs; null when some slot does.</summary>
    public string? SuspendedReason =>
        All.Any(device => device.SetAsideReason is null) ? null
        : All is [{ Card: null } only] ? only.SetAsideReason
        : string.Join(' ', All.Select(device => $"{device}: {device.SetAsideReason}"));

    /// <summary>Finds the devices as <see cref="WorkerOptions.Device"/> says.</summary>
    public static async Task<SlotDevices> FindAsync(WorkerOptions options, ILogger log, CancellationToken stopping)
    {
        var nvidiaSmi = new NvidiaSmi(options.NvidiaSmi, ListLimit);
        var cards = options.Device == DeviceName.Cpu ? [] : await ListAsync();
        while (options.Device == DeviceName.Cuda && cards.Count == 0)
        {
            log.LogError("There is no card, trying again");
            await Task.Delay(RetryDelay, stopping);
            cards = await ListAsync();
        }
        Card?[] places = cards.Count > 0 ? [.. cards] : [null];
        return new(
            [.. places.Select(card => new SlotDevice(card, new(options.BreakerJobs, options.ProbeInterval, TimeProvider.System)))],
            cards.Count > 0 ? options.SlotsPerDevice : options.Slots,
            areHidden: options.Device == DeviceName.Cpu,
            nvidiaSmi,
            log
        );

        async Task<IReadOnlyList<Card>> ListAsync()
        {
            try
            {
                return NvidiaSmi.Visible(await nvidiaSmi.ListAsync(stopping), Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES"));
            }
            catch (NvidiaSmiException e)
            {
                log.LogInformation("No cards are listed: {Reason}", e.Message);
                return [];
            }
        }
    }

    /// <summary>Neighbouring slots are on different cards, so that the first jobs spread over the cards.</summary>
    public SlotDevice Of(int slot) => All[slot % All.Count];

    public RunnerPlace Place(int slot, WorkerOptions options, bool needsCuda) =>
        new(slot, options.ThreadsPerRunner(Slots), AreHidden ? "" : Of(slot).Card?.Uuid, needsCuda);

    /// <summary>Samples the cards until the worker stops.</summary>
    public async Task WatchAsync(TimeSpan interval, CancellationToken stopping)
    {
        if (All is [{ Card: null }])
            return;
        while (!stopping.IsCancellationRequested)
        {
            await Task.WhenAny(Task.Delay(interval, stopping));
            try
            {
                Update(await nvidiaSmi.ListAsync(stopping), null);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested) { }
            catch (NvidiaSmiException e)
            {
                Update(null, e.Message);
            }
        }
    }

    /// <summary>The cards as the worker's row has them.</summary>
    public IReadOnlyList<WorkerDevice> Describe(SlotPool slots) =>
        [
            .. from device in All
            let card = device.Card
            where card is not null
            let own = slots.All.OfType<Slot>().Where(slot => slot.Device == device)
            select new WorkerDevice(
                card.Index,
                card.Uuid,
                card.Name,
                card.MemoryTotalMiB,
                card.MemoryUsedMiB,
                card.UtilizationPercent,
                own.Count(),
                own.Count(slot => slot.Attempt is not null),
                device.SetAsideReason
            ),
        ];

    private void Update(IReadOnlyList<Card>? cards, string? failure)
    {
        if (failure is not null && failure != lastFailure)
            log.LogWarning("The cards cannot be sampled: {Reason}", failure);
        lastFailure = failure;
        foreach (var device in All)
        {
            var wasListed = device.IsListed;
            device.Update(cards);
            if (device.IsListed != wasListed)
                log.LogWarning("nvidia-smi {Lists} {Device}", wasListed ? "no longer lists" : "lists again", device);
        }
    }
}
