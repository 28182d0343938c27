using Temper.Harness.Chaos;
using Xunit.Abstractions;

namespace Temper.EndToEnd;

/// <summary>The short form of bench/chaos/run.</summary>
public class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Jobs_WhileEverythingFails_EndOnceWithTheResultOfAnUndisturbedRun()
    {
        var report = await ChaosRun.RunAsync(new()
        {
            Seed = 7,
            Faults = 30,
            FaultInterval = TimeSpan.FromSeconds(1.2),
            Specs = 4,
            LeastJobs = 20,
            TrainImages = 400,
            DrainLimit = TimeSpan.FromMinutes(4),
            LogFolder = Path.Combine(TemperProcess.Repository, ".temper", "test", "chaos"),
        });
        output.WriteLine(report.Markdown);

        Assert.Empty(report.Violations.Select(violation => $"{violation.Rule}: {violation.What}"));
        Assert.True(report.Delivered >= 25, $"{report.Delivered} faults hit something.");
        Assert.True(report.Jobs >= 20);
    }
}
