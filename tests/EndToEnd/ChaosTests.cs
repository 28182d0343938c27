using Temper.Harness.Chaos;
using Xunit.Abstractions;

namespace Temper.EndToEnd;

/// <summary>The short form of bench/chaos/run.</summary>
public class ChaosTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Jobs_WhileEverythingFails_EndOnceWithTheResultOfAnUndisturbedRun()
    {
        var report = await ChaosRun.RunAsync(
            new()
            {
                Seed = 7,
                Faults = 20,
                FaultInterval = TimeSpan.FromSeconds(1.2),
                Specs = 4,
                LeastJobs = 12,
                TrainImages = 400,
                DrainLimit = TimeSpan.FromMinutes(4),
                LogFolder = Path.Combine(TemperProcess.Repository, ".temper", "test", "chaos"),
            }
        );
        output.WriteLine(report.Markdown);

        Assert.Empty(report.Violations.Select(violation => $"{violation.Rule}: {violation.What}"));
        Assert.True(report.Delivered >= 16, $"{report.Delivered} faults hit something.");
        Assert.True(report.Jobs >= 12);
    }

    [Fact]
    public void Plan_OfTheSameSeed_IsTheSameAndOfAnotherIsNot()
    {
        var options = new ChaosOptions
        {
            Seed = 7,
            Faults = 100,
            LogFolder = "",
        };

        var (plan, again, other) = (new ChaosPlan(options), new ChaosPlan(options), new ChaosPlan(options with { Seed = 8 }));

        Assert.Equal(plan.Faults, again.Faults);
        Assert.NotEqual(plan.Faults, other.Faults);
        Assert.Equal(Enumerable.Range(0, 50).Select(plan.SpecOf), Enumerable.Range(0, 50).Select(again.SpecOf));
        Assert.Equal(Enum.GetValues<FaultKind>().Length, plan.Faults.Take(14).Select(fault => fault.Kind).Distinct().Count());
    }
}
