using Temper.Domain.Jobs;

namespace Temper.Integration.Store.Queue;

public class GiveBackTests : QueueTest
{
    [Fact]
    public async Task GiveBack_AttemptsLeft_QueuesAgainAfterABackoffThatDoubles()
    {
        var id = await SubmitAsync(Spec with { MaxAttempts = 9 });
        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 60, 60 })
        {
            await Database.ExecuteAsync("UPDATE jobs SET run_at = clock_timestamp()");
            Assert.True(await Queue.GiveBackAsync(await ClaimAsync(), "it crashed", default));

            var wait = await Database.ScalarAsync<double>($"SELECT extract(epoch FROM run_at - clock_timestamp())::float8 FROM jobs WHERE id = '{id}'");
            Assert.InRange(wait, seconds * 0.75 - 0.5, seconds * 1.25);
            Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
        }
        var row = await JobAsync(id);
        Assert.Equal((JobState.Queued, 8, 8, "it crashed"), (row.State, row.Attempt, row.Failures, row.Reason));
    }

    [Fact]
    public async Task GiveBack_LastAttempt_FailsTheJob()
    {
        var job = await SubmitAndClaimAsync(Spec with { MaxAttempts = 1 });

        Assert.True(await Queue.GiveBackAsync(job, "it crashed", default));

        var row = await JobAsync(job.Id);
        Assert.Equal((JobState.Failed, 1, "it crashed"), (row.State, row.Failures, row.Reason));
        Assert.NotNull(row.FinishedAt);
    }

    [Fact]
    public async Task GiveBack_CancelAsked_CancelsTheJob()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.CancelAsync(job.Id, default);

        Assert.True(await Queue.GiveBackAsync(job, "it crashed", default));

        Assert.Equal(JobState.Cancelled, (await JobAsync(job.Id)).State);
    }

    [Fact]
    public async Task HandBack_AtShutdown_CountsNothingAndRunsAtOnce()
    {
        var job = await SubmitAndClaimAsync(Spec with { MaxAttempts = 1 });

        Assert.True(await Queue.HandBackAsync(job, "its worker shut down", default));

        var row = await JobAsync(job.Id);
        Assert.Equal((JobState.Queued, 0), (row.State, row.Failures));
        Assert.Equal(2, (await ClaimAsync()).Attempt);
    }

    [Fact]
    public async Task HandBack_CancelAsked_CancelsTheJob()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.CancelAsync(job.Id, default);

        await Queue.HandBackAsync(job, "its worker shut down", default);

        Assert.Equal(JobState.Cancelled, (await JobAsync(job.Id)).State);
    }
}
