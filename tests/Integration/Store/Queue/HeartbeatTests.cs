using Temper.Domain.Jobs;

namespace Temper.Integration.Store.Queue;

public class HeartbeatTests : QueueTest
{
    private static readonly TrainingProgress Progress = new(2, 3, 10, 29, 4000.5, 7.25);

    [Fact]
    public async Task Heartbeat_OfAWorker_RenewsItsOneRow()
    {
        var before = await Database.ScalarAsync<DateTime>("SELECT heartbeat_at FROM workers");

        await Queue.HeartbeatAsync(Worker, [], null, default);

        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM workers"));
        Assert.True(await Database.ScalarAsync<DateTime>("SELECT heartbeat_at FROM workers") > before);
    }

    [Fact]
    public async Task Heartbeat_WithProgress_StoresItAndSaysWhatIsStillHeld()
    {
        var (training, asked, taken) = (await SubmitAndClaimAsync(), await SubmitAndClaimAsync(), await SubmitAndClaimAsync());
        await Queue.CancelAsync(asked.Id, default);
        await Queue.HandBackAsync(taken, "test", default);

        var held = await Queue.HeartbeatAsync(Worker, [new(training, Progress), new(asked, null), new(taken, Progress)], null, default);

        Assert.Equal(2, held.Count);
        Assert.Null(held[(training.Id, 1)]);
        Assert.Equal(StopRequest.Cancel, held[(asked.Id, 1)]);
        Assert.Equal(Progress, (await JobAsync(training.Id)).Progress);
        Assert.Null((await JobAsync(taken.Id)).Progress);
    }

    [Fact]
    public async Task Heartbeat_BeforeTheNextProgress_KeepsTheLast()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.HeartbeatAsync(Worker, [new(job, Progress)], null, default);

        await Queue.HeartbeatAsync(Worker, [new(job, null)], null, default);

        Assert.Equal(Progress, (await JobAsync(job.Id)).Progress);
    }

    [Fact]
    public async Task Heartbeat_AJobThatTheWorkerDoesNotKnowOf_GoesBackToTheQueue()
    {
        // The claim was committed, but its answer never arrived.
        var (old, fresh) = (await SubmitAndClaimAsync(), await SubmitAndClaimAsync());
        await Database.ExecuteAsync($"UPDATE jobs SET claimed_at = claimed_at - interval '11 seconds' WHERE id = '{old.Id}'");

        await Queue.HeartbeatAsync(Worker, [], null, default);

        var row = await JobAsync(old.Id);
        Assert.Equal((JobState.Queued, 0, "its worker never heard that it was its own"), (row.State, row.Failures, row.Reason));
        Assert.Equal(JobState.Running, (await JobAsync(fresh.Id)).State);
    }

    [Fact]
    public async Task Heartbeat_AJobWhoseClaimWasAnsweredMeanwhile_StaysItsOwn()
    {
        var job = await SubmitAndClaimAsync();
        await Database.ExecuteAsync("UPDATE jobs SET claimed_at = claimed_at - interval '11 seconds'");

        await Queue.HeartbeatAsync(Worker, [], null, default, heldNow: () => [job]);

        Assert.Equal(JobState.Running, (await JobAsync(job.Id)).State);
    }
}
