namespace Temper.Simulation;

/// <summary>Tests the protocol of claim, lease and fence under injected faults; see docs/protocol.md.</summary>
public class ProtocolTests
{
    private const int Count = 100_000;

    public static TheoryData<string> Bugs => [.. PlantedBugs.All.Keys];

    [Fact]
    public void Protocol_AHundredThousandSchedules_KeepsEveryPromise() => Assert.Null(Schedules.Run(PlantedBug.None, Count).First);

    [Theory]
    [MemberData(nameof(Bugs))]
    public void Protocol_WithAPlantedBug_BreaksAPromise(string bug) =>
        Assert.NotNull(Schedules.Run(PlantedBugs.All[bug], PlantedBugs.All[bug].CaughtWithin).First);

    [Fact]
    public void Protocol_AFewThousandSchedules_ReachEveryCorner()
    {
        var tally = Schedules.Run(PlantedBug.None, 5_000);

        Deed[] reads = [Deed.ReadCheckpoint, Deed.Lock, Deed.Watch],
            ofWorkersOnly = [Deed.Beat, Deed.DeleteWorker, Deed.Forget, Deed.Drain, Deed.Undrain, Deed.Tell, Deed.TellOver, Deed.Sweep];
        foreach (var deed in Enum.GetValues<Deed>().Except(reads))
        {
            if (!ofWorkersOnly.Contains(deed))
                Assert.True(tally.Changing[(int)deed] > 0, $"{deed} never changed a job");
            if (deed != Deed.Submit)
                Assert.True(tally.Idle[(int)deed] > 0, $"{deed} was never refused");
        }
    }

    [Fact]
    public void Schedule_OfTheSameSeed_IsTheSame()
    {
        for (var seed = 1; seed <= 50; seed++)
            Assert.Equal(Schedules.Trace(PlantedBug.None, seed), Schedules.Trace(PlantedBug.None, seed));
    }
}
