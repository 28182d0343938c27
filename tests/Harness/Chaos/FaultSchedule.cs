namespace Temper.Harness.Chaos;

/// <summary>
/// Causes every fault of a plan at its time. The plan's clock pauses while no majority of the workers is ready.
/// </summary>
public sealed class FaultSchedule(ChaosPlan plan, ChaosStage stage, ChaosLog log)
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    private readonly List<Fault> missed = [];

    /// <summary>Faults that found nothing to hit, such as a kill of a runner while no worker had one.</summary>
    public IReadOnlyList<Fault> Missed => missed;

    /// <summary>The times of the first and the last fault.</summary>
    public (DateTimeOffset First, DateTimeOffset Last) Came { get; private set; }

    /// <summary>
    /// Returns when the last fault is over: every stopped process continues, and every cut connection is restored.
    /// </summary>
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
