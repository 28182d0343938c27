namespace Temper.Harness.Chaos;

/// <summary>Brings about every fault of a plan at its time. The plan's clock stands still while most workers are only starting.</summary>
public sealed class FaultSchedule(ChaosPlan plan, ChaosStage stage, ChaosLog log)
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    private readonly List<Fault> missed = [];

    /// <summary>Faults that came when there was nothing to hit, such as a runner's kill while no worker had one.</summary>
    public IReadOnlyList<Fault> Missed => missed;

    /// <summary>When the first and the last one came.</summary>
    public (DateTimeOffset First, DateTimeOffset Last) Came { get; private set; }

    /// <summary>Until the last one is over: whatever was stopped goes on, whatever was cut is mended.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var (under, last) = (new List<Task>(), TimeSpan.Zero);
        try
        {
            foreach (var fault in plan.Faults)
            {
                await Task.Delay(fault.At - last, stop);
                last = fault.At;
                while (!stage.MostWorkersAreReady)
                    await Task.Delay(LookInterval, stop);
                Came = (under.Count == 0 ? DateTimeOffset.UtcNow : Came.First, DateTimeOffset.UtcNow);
                under.Add(BringAboutAsync(fault));
            }
        }
        finally
        {
            await Task.WhenAll(under);
        }
    }

    private async Task BringAboutAsync(Fault fault)
    {
        log.Write($"fault {fault}");
        if (await stage.BringAboutAsync(fault))
            return;
        lock (missed)
            missed.Add(fault);
        log.Write($"fault {fault.Number} had nothing to hit");
    }
}
