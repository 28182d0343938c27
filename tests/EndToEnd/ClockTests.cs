using System.Diagnostics;

namespace Temper.EndToEnd;

/// <summary>Tests workers with clocks hours apart. A preloaded library shifts the time of day of each process.</summary>
public class ClockTests : EndToEndTest
{
    [Fact]
    public async Task Workers_WithClocksHoursApart_TakeNoHealthyJobAndRescueADeadOnes()
    {
        var library = Path.Combine(Home, "fake_clock.so");
        await TemperProcess.RunAsync(
            "cc",
            "-shared",
            "-fPIC",
            "-O2",
            "-o",
            library,
            Path.Combine(TemperProcess.Repository, "tests/EndToEnd/fake_clock.c")
        );
        (string, string)[] ClockAt(int hours) => [("LD_PRELOAD", library), ("FAKE_CLOCK_SECONDS", $"{3600 * hours}")];
        var fast = await StartWorkerAsync(null, ClockAt(5));
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 1);
        var slow = await StartWorkerAsync(null, ClockAt(-7));
        Assert.True(Shift(fast) > TimeSpan.FromHours(4) && Shift(slow) < TimeSpan.FromHours(-6), "The clocks are not faked.");

        await Task.Delay(TimeSpan.FromSeconds(5)); // long enough for a rescue if one were due
        Assert.Equal(["under way"], await OutcomesAsync(id));

        var killed = Stopwatch.GetTimestamp();
        await fast.KillAsync();

        await Eventually.TrueAsync(async () =>
            (await Api.JobAsync(id)) is var job && State(job) == "running" && job["attempt"]!.GetValue<int>() == 2
        );
        Assert.InRange(Stopwatch.GetElapsedTime(killed), TimeSpan.FromSeconds(2.9), TimeSpan.FromSeconds(15));
        Assert.Equal(["lost", "under way"], await OutcomesAsync(id));
    }

    /// <summary>The difference between the time in a worker's log and this process's clock.</summary>
    private static TimeSpan Shift(WorkerProcess worker)
    {
        var line = worker.Output.Split('\n').Last(text => text.Contains("is ready"));
        var shift = TimeSpan.Parse(line[..8]) - DateTime.Now.TimeOfDay;
        // The log has only the time of day.
        return shift > TimeSpan.FromHours(12) ? shift - TimeSpan.FromDays(1)
            : shift < TimeSpan.FromHours(-12) ? shift + TimeSpan.FromDays(1)
            : shift;
    }
}
