using System.Diagnostics;

namespace Temper.EndToEnd;

public class CancelTests : EndToEndTest
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task Cancel_ARunningJob_StopsItAndKeepsItsMetrics()
    {
        await StartWorkerAsync();
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 2);

        var took = await CancelAsync(id);

        Assert.InRange(took, TimeSpan.Zero, Promised);
        Assert.True((await MetricsAsync(id)).Count >= 2);
        // The runner is free for the next job.
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(await Api.SubmitAsync(new { dataset = "digits", epsilon = 0, epochs = 1 }), TimeSpan.FromSeconds(30))));
    }

    [Fact]
    public async Task Cancel_WhileTheRunnerHangs_StopsItAllTheSame()
    {
        var worker = await StartWorkerAsync();
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 1);
        var runner = Assert.Single(worker.Runners());
        await TemperProcess.SignalAsync(runner, "STOP");

        var took = await CancelAsync(id);

        Assert.InRange(took, TimeSpan.Zero, Promised);
        await Eventually.TrueAsync(() => Task.FromResult(!Directory.Exists($"/proc/{runner}")));
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(await Api.SubmitAsync(new { dataset = "digits", epsilon = 0, epochs = 1 }), TimeSpan.FromSeconds(30))));
    }

    private async Task<TimeSpan> CancelAsync(Guid id)
    {
        var start = Stopwatch.GetTimestamp();
        // 200 rather than 202 when the worker was faster than the answer.
        Assert.True((await Api.Http.PostAsync($"/jobs/{id}/cancel", null)).IsSuccessStatusCode);
        Assert.Equal("cancelled", State(await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(10))));
        return Stopwatch.GetElapsedTime(start);
    }
}
