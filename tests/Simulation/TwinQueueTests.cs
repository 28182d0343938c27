using Temper.Harness.Model;

namespace Temper.Simulation;

/// <summary>Tests the twin by itself; the integration tests play the same scenarios on PostgreSQL beside it.</summary>
public class TwinQueueTests
{
    public static TheoryData<string> Names => [.. Scenarios.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Scenario_OnTheTwin_IsAnsweredAsItSays(string name)
    {
        var script = new Script(new TwinStage(), Script.NewWorkers());
        foreach (var (line, answer) in Scenarios.Lines(name))
            Assert.Equal($"{line} => {answer}", $"{line} => {await script.PlayAsync(line)}");
    }
}
