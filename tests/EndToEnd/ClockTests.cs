using System.Diagnostics;

namespace Temper.EndToEnd;

/// <summary>Workers whose clocks are hours apart, by faking the time of day of each process.</summary>
public class ClockTests : EndToEndTest
{
    private const string Library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

    [FakeTimeFact]
    public async Task Workers_WithClocksHoursApart_TakeNoHealthyJobAndRescueADeadOnes()
    {
        var fast = await StartWorkerAsync(null, ClockAt("+5h"));
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 1);
        var slow = await StartWorkerAsync(null, ClockAt("-7h"));
        Assert.True(Shift(fast) > TimeSpan.FromHours(4) && Shift(slow) < TimeSpan.FromHours(-6), "The clocks are not faked.");

        await Task.Delay(TimeSpan.FromSeconds(5)); // long enough for a rescue, were one due
        Assert.Equal(["under way"], await OutcomesAsync(id));

        var killed = Stopwatch.GetTimestamp();
        await fast.KillAsync();

        await Eventually.TrueAsync(async () => (await Api.JobAsync(id)) is var job && State(job) == "running" && job["attempt"]!.GetValue<int>() == 2);
        Assert.InRange(Stopwatch.GetElapsedTime(killed), TimeSpan.FromSeconds(2.9), TimeSpan.FromSeconds(15));
        Assert.Equal(["lost", "under way"], await OutcomesAsync(id));
    }

    private static (string, string)[] ClockAt(string offset) =>
        [("LD_PRELOAD", Library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("DONT_FAKE_MONOTONIC", "1")];

    /// <summary>How far a worker's log is from this process's clock.</summary>
    private static TimeSpan Shift(WorkerProcess worker)
    {
        var line = worker.Output.Split('\n').Last(text => text.Contains("is ready"));
        var shift = TimeSpan.Parse(line[..8]) - DateTime.Now.TimeOfDay;
        // Only the time of day is logged.
        return shift > TimeSpan.FromHours(12) ? shift - TimeSpan.FromDays(1) : shift < TimeSpan.FromHours(-12) ? shift + TimeSpan.FromDays(1) : shift;
    }

    private sealed class FakeTimeFactAttribute : FactAttribute
    {
        public FakeTimeFactAttribute()
        {
            if (!File.Exists(Library)) Skip = "libfaketime is not installed.";
        }
    }
}
