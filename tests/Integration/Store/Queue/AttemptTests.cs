using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;
using Temper.Store.Queue;
using Temper.Store.Rows;

namespace Temper.Integration.Store.Queue;

/// <summary>Tests that every ended attempt is in the history once, with its reason.</summary>
public class AttemptTests : QueueTest
{
    public static TheoryData<string> Endings => [.. AllEndings.Keys];

    private static readonly Dictionary<
        string,
        (Func<AttemptTests, ClaimedJob, Task> End, AttemptOutcome Outcome, string? Reason)
    > AllEndings = new()
    {
        ["succeeded"] = ((test, job) => test.Queue.SucceedAsync(job, Result, Model, default), AttemptOutcome.Succeeded, null),
        ["failed for good"] = ((test, job) => test.Queue.FailAsync(job, "it diverged", default), AttemptOutcome.Failed, "it diverged"),
        ["crashed"] = (
            (test, job) => test.Queue.GiveBackAsync(job, "it crashed", "its\0 last words", default),
            AttemptOutcome.Failed,
            "it crashed"
        ),
        ["handed back"] = (
            (test, job) => test.Queue.HandBackAsync(job, "its worker shut down", default),
            AttemptOutcome.HandedBack,
            "its worker shut down"
        ),
        ["left behind"] = ((test, _) => test.Queue.LeaveAsync(test.Worker.Id, default), AttemptOutcome.HandedBack, "its worker shut down"),
        ["lost"] = (async (test, _) => await test.RescueAsync(), AttemptOutcome.Lost, "its worker died"),
        ["paused"] = (
            async (test, job) =>
            {
                await test.Queue.PauseAsync(job.Id, default);
                await test.Queue.HandBackAsync(job, "test", default);
            },
            AttemptOutcome.Paused,
            "paused while running"
        ),
        ["cancelled"] = (
            async (test, job) =>
            {
                await test.Queue.CancelAsync(job.Id, default);
                await test.Queue.HandBackAsync(job, "test", default);
            },
            AttemptOutcome.Cancelled,
            "cancelled while running"
        ),
    };

    [Theory]
    [MemberData(nameof(Endings))]
    public async Task End_OfAnAttempt_WritesItIntoTheHistory(string how)
    {
        var job = await SubmitAndClaimAsync();
        await Queue.ReportTrainingStartedAsync(job, null, default);

        await AllEndings[how].End(this, job);

        var attempt = Assert.Single(await AttemptsAsync(job.Id));
        Assert.Equal(
            (1, AllEndings[how].Outcome, AllEndings[how].Reason, Worker.Name),
            (attempt.Attempt, attempt.Outcome, attempt.Reason, attempt.Worker)
        );
        Assert.True(attempt.ClaimedAt < attempt.TrainingStartedAt && attempt.TrainingStartedAt < attempt.EndedAt);
        Assert.Equal(how == "crashed" ? "its last words" : null, attempt.ErrorOutput);
    }

    /// <summary>A note belongs to one attempt; the next attempt begins without one.</summary>
    [Fact]
    public async Task End_OfAnAttemptWithANote_KeepsTheNote()
    {
        var first = await SubmitAndClaimAsync();
        await Queue.ReportTrainingStartedAsync(first, "It began anew.", default);
        await Queue.HandBackAsync(first, "its worker shut down", default);
        await Queue.HandBackAsync(await ClaimAsync(), "its worker shut down", default);

        Assert.Equal(["It began anew.", null], (await AttemptsAsync(first.Id)).Select(attempt => attempt.Note));
    }

    [Fact]
    public async Task End_OfSeveralAttempts_KeepsEachWithItsOwnReason()
    {
        var id = await SubmitAsync();
        foreach (var reason in new[] { "first", "second", "third" })
        {
            await Database.ExecuteAsync("UPDATE jobs SET run_at = clock_timestamp()");
            await Queue.GiveBackAsync(await ClaimAsync(), reason, null, default);
        }

        Assert.Equal(
            [(1, "first"), (2, "second"), (3, "third")],
            (await AttemptsAsync(id)).Select(attempt => (attempt.Attempt, attempt.Reason!))
        );
    }

    [Fact]
    public async Task End_OfAStaleAttempt_WritesNoHistory()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.HandBackAsync(job, "its worker shut down", default);

        Assert.False(await Queue.GiveBackAsync(job, "it crashed", null, default));

        Assert.Equal(AttemptOutcome.HandedBack, Assert.Single(await AttemptsAsync(job.Id)).Outcome);
    }

    private async Task RescueAsync()
    {
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        await Queue.RescueAsync((await JobQueue.WatchAsync(connection, Worker.Id, default)).Single(), "its worker died", default);
    }

    private async Task<List<AttemptRow>> AttemptsAsync(Guid id)
    {
        await using var db = Db();
        return await db.Attempts.AsNoTracking().Where(attempt => attempt.JobId == id).OrderBy(attempt => attempt.Attempt).ToListAsync();
    }
}
