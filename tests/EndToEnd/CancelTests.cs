namespace Temper.EndToEnd;

public class CancelTests : EndToEndTest
{
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(1);

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
        Assert.Equal("succeeded", State(await TrainShortJobAsync()));
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
        Assert.Equal("succeeded", State(await TrainShortJobAsync()));
    }

    [Fact]
    public async Task Cancel_WhileAPauseWaitsForAHangingRunner_StopsItAtOnce()
    {
        var worker = await StartWorkerAsync();
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 1);
        await TemperProcess.SignalAsync(Assert.Single(worker.Runners()), "STOP");
        await Api.Http.PostAsync($"/jobs/{id}/pause", null);

        Assert.InRange(await CancelAsync(id), TimeSpan.Zero, Promised);
    }

    /// <returns>The time from the request to the stored end. The database's clock is this machine's clock.</returns>
    private async Task<TimeSpan> CancelAsync(Guid id)
    {
        var start = DateTimeOffset.UtcNow;
        // The API answers 200 rather than 202 when the worker was faster than the answer.
        Assert.True((await Api.Http.PostAsync($"/jobs/{id}/cancel", null)).IsSuccessStatusCode);
        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(10));
        Assert.Equal("cancelled", State(job));
        return job["finishedAt"]!.GetValue<DateTimeOffset>() - start;
    }
}
