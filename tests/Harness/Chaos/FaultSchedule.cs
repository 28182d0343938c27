using System.Diagnostics;

namespace Temper.Harness.Chaos;

/// <summary>Brings about every fault of a plan at its time.</summary>
public sealed class FaultSchedule(ChaosPlan plan, ChaosStage stage, ChaosLog log)
{
    private readonly List<Fault> missed = [];

    /// <summary>Faults that came when there was nothing to hit, such as a runner's kill while no worker had one.</summary>
    public IReadOnlyList<Fault> Missed => missed;

    /// <summary>When the last one came.</summary>
    public DateTimeOffset LastAt { get; private set; }

    /// <summary>Until the last one is over: whatever was stopped goes on, whatever was cut is mended.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var clock = Stopwatch.StartNew();
        var under = new List<Task>();
        try
        {
            foreach (var fault in plan.Faults)
            {
                var wait = fault.At - clock.Elapsed;
                if (wait > TimeSpan.Zero) await Task.Delay(wait, stop);
                LastAt = DateTimeOffset.UtcNow;
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
        if (await stage.BringAboutAsync(fault)) return;
        lock (missed) missed.Add(fault);
        log.Write($"fault {fault.Number} had nothing to hit");
    }
}
