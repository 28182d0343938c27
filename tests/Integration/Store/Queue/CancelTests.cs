using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Integration.Store.Queue;

public class CancelTests : QueueTest
{
    [Fact]
    public async Task Cancel_AQueuedJob_EndsItAtOnce()
    {
        var id = await SubmitAsync();

        await Queue.CancelAsync(id, default);

        var job = await JobAsync(id);
        Assert.Equal(JobState.Cancelled, job.State);
        Assert.NotNull(job.FinishedAt);
        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
    }

    [Fact]
    public async Task Cancel_ARunningJob_MarksItAndTellsItsWorker()
    {
        var job = await SubmitAndClaimAsync();
        await using var listener = await ListenAsync();
        string? notice = null;
        listener.Notification += (_, n) => notice = n.Payload;

        await Queue.CancelAsync(job.Id, default);

        Assert.True(await listener.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.True(JobQueue.IsStopNotice(notice!, out var stopped, out var request));
        Assert.Equal((job.Id, StopRequest.Cancel), (stopped, request));
        var row = await JobAsync(job.Id);
        Assert.Equal(JobState.Running, row.State);
        Assert.Equal(StopRequest.Cancel, row.StopRequested);
        Assert.True(await Queue.HandBackAsync(job, "test", default));
        Assert.Equal(JobState.Cancelled, (await JobAsync(job.Id)).State);
    }

    [Fact]
    public async Task Cancel_NoSuchJob_IsHarmless() => Assert.False(await Queue.CancelAsync(Guid.NewGuid(), default));
}
