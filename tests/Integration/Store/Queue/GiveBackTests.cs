using Temper.Domain.Jobs;
using Temper.Store.Queue;

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
            Assert.True(await Queue.GiveBackAsync(await ClaimAsync(), "it crashed", null, default));

            var wait = await Database.ScalarAsync<double>(
                $"SELECT extract(epoch FROM run_at - clock_timestamp())::float8 FROM jobs WHERE id = '{id}'"
            );
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

        Assert.True(await Queue.GiveBackAsync(job, "it crashed", null, default));

        var row = await JobAsync(job.Id);
        Assert.Equal((JobState.Failed, 1, "it crashed"), (row.State, row.Failures, row.Reason));
        Assert.NotNull(row.FinishedAt);
    }

    [Fact]
    public async Task GiveBack_CancelAsked_CancelsTheJob()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.CancelAsync(job.Id, default);

        Assert.True(await Queue.GiveBackAsync(job, "it crashed", null, default));

        await AssertCancelledAsync(job.Id);
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

        await AssertCancelledAsync(job.Id);
    }

    [Fact]
    public async Task Fail_CancelAsked_CancelsTheJob()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.CancelAsync(job.Id, default);

        Assert.True(await Queue.FailAsync(job, "it diverged", default));

        await AssertCancelledAsync(job.Id);
    }

    [Theory]
    [InlineData("hand back")]
    [InlineData("give back")]
    public async Task GiveBack_OfATrainingJob_LeavesNothingOfTheAttemptAndWakesWorkers(string how)
    {
        var job = await SubmitAndClaimAsync();
        await Queue.ReportTrainingStartedAsync(job, null, default);
        await Queue.HeartbeatAsync(Worker, [new(job, new(1, 3, 1, 29, 4000, 8))], null, default);
        await using var listener = await ListenAsync();
        var notices = new List<string>();
        listener.Notification += (_, notice) => notices.Add(notice.Payload);

        await (how == "hand back" ? Queue.HandBackAsync(job, "test", default) : Queue.GiveBackAsync(job, "test", null, default));

        Assert.Null((await JobAsync(job.Id)).Progress);
        Assert.True(await listener.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal([JobQueue.QueuedNotice], notices);
        await Database.ExecuteAsync("UPDATE jobs SET run_at = clock_timestamp()");
        await ClaimAsync();
        var claimed = await JobAsync(job.Id);
        Assert.Null(claimed.TrainingStartedAt);
        Assert.Null(claimed.Reason);
    }

    [Theory]
    [InlineData("a\0b", "ab")]
    [InlineData("longer than anyone would read", null)]
    public async Task GiveBack_AReasonThatPostgresWouldNotTake_IsKeptAsFarAsItCan(string reason, string? kept)
    {
        var job = await SubmitAndClaimAsync();

        Assert.True(await Queue.GiveBackAsync(job, kept is null ? new string('x', 1_000_000) : reason, null, default));

        Assert.Equal(kept ?? new string('x', 4000), (await JobAsync(job.Id)).Reason);
    }

    private async Task AssertCancelledAsync(Guid id)
    {
        var row = await JobAsync(id);
        Assert.Equal((JobState.Cancelled, "cancelled while running"), (row.State, row.Reason));
        Assert.NotNull(row.FinishedAt);
    }
}
