using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Integration.Store.Queue;

public class RescueTests : QueueTest
{
    [Fact]
    public async Task Watch_PresenceLock_IsSeenWhileItsConnectionLives()
    {
        await SubmitAndClaimAsync();
        await using var watcher = await Database.DataSource.OpenConnectionAsync();
        var unpooled = new NpgsqlConnectionStringBuilder(Database.ConnectionString) { Pooling = false }.ToString();

        Assert.False(Assert.Single(await JobQueue.WatchAsync(watcher, Guid.Empty, default)).Present);
        await using (var presence = new NpgsqlConnection(unpooled))
        {
            await presence.OpenAsync();
            Assert.True(await JobQueue.TryTakePresenceAsync(presence, Worker, default));

            var sighting = Assert.Single(await JobQueue.WatchAsync(watcher, Guid.Empty, default));
            Assert.Equal((Worker.Id, true), (sighting.Worker, sighting.Present));
            Assert.InRange(sighting.HeartbeatAge, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        }
        await Eventually.TrueAsync(async () => !(await JobQueue.WatchAsync(watcher, Guid.Empty, default)).Single().Present);
    }

    [Fact]
    public async Task Watch_PresenceKeysOfEverySign_AreRecognized()
    {
        // PostgreSQL shows the lock's 64-bit key as two unsigned halves.
        await SubmitAndClaimAsync();
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        foreach (var key in new[] { 1, -1, long.MinValue, long.MaxValue, 0x80000000, -0x80000000 })
        {
            await Database.ExecuteAsync($"UPDATE workers SET presence_key = {key}");
            Assert.False((await JobQueue.WatchAsync(connection, Guid.Empty, default)).Single().Present);
            await JobQueue.TryTakePresenceAsync(connection, Worker with { PresenceKey = key }, default);

            Assert.True((await JobQueue.WatchAsync(connection, Guid.Empty, default)).Single().Present);
        }
    }

    [Fact]
    public async Task Watch_WorkersWithoutAJob_AreNotLookedAtButTheWatcherIs()
    {
        var watcher = await RegisterAsync();
        await using var connection = await Database.DataSource.OpenConnectionAsync();

        Assert.Empty(await JobQueue.WatchAsync(connection, Guid.Empty, default));
        Assert.Equal(watcher.Id, Assert.Single(await JobQueue.WatchAsync(connection, watcher.Id, default)).Worker);
    }

    [Fact]
    public async Task Rescue_ALostWorkersJobs_EndsTheirAttempts()
    {
        var (again, last, asked) = (
            await SubmitAndClaimAsync(),
            await SubmitAndClaimAsync(Spec with { MaxAttempts = 1 }),
            await SubmitAndClaimAsync()
        );
        await Queue.CancelAsync(asked.Id, default);
        var other = await RegisterAsync();
        await SubmitAsync();
        var untouched = await ClaimAsync(other);

        var rescued = await Queue.RescueAsync(await SightingAsync(), "its worker died", default);

        Assert.Equal(new[] { again.Id, last.Id, asked.Id }.Order(), rescued.Order());
        Assert.Equal((JobState.Queued, 1, "its worker died"), await StateAsync(again.Id));
        Assert.Equal((JobState.Failed, 1, "its worker died"), await StateAsync(last.Id));
        Assert.Equal((JobState.Cancelled, 1, "cancelled while running"), await StateAsync(asked.Id));
        Assert.Equal(JobState.Running, (await JobAsync(untouched.Id)).State);
        Assert.False(await Queue.ReportAsync(again, [Metrics], null, default));
    }

    [Fact]
    public async Task Rescue_AWorkerThatBeatMeanwhile_TakesNothing()
    {
        var job = await SubmitAndClaimAsync();
        var sighting = await SightingAsync();
        await Queue.HeartbeatAsync(Worker, [new(job, null)], null, default);

        Assert.Empty(await Queue.RescueAsync(sighting, "its worker died", default));
        Assert.Equal(JobState.Running, (await JobAsync(job.Id)).State);
    }

    [Fact]
    public async Task Rescue_ForTheFirstTime_LetsTheJobRunAtOnceAndLaterOnesWait()
    {
        var job = await SubmitAndClaimAsync(Spec with { MaxAttempts = 9 });
        await Queue.RescueAsync(await SightingAsync(), "its worker died", default);
        job = await ClaimAsync(); // no wait: the first loss is no evidence against the job

        await Queue.RescueAsync(await SightingAsync(), "its worker died", default);

        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
        Assert.InRange(
            await Database.ScalarAsync<double>(
                $"SELECT extract(epoch FROM run_at - clock_timestamp())::float8 FROM jobs WHERE id = '{job.Id}'"
            ),
            0.25,
            1.25
        );
    }

    [Fact]
    public async Task Rescue_BySeveralAtOnce_CountsOneFailure()
    {
        var jobs = new List<ClaimedJob>();
        for (var i = 0; i < 20; i++)
            jobs.Add(await SubmitAndClaimAsync(Spec with { MaxAttempts = 9 }));
        var sighting = await SightingAsync();

        var rescued = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Queue.RescueAsync(sighting, "its worker died", default)));

        Assert.Equal(jobs.Select(job => job.Id).Order(), rescued.SelectMany(ids => ids).Order());
        foreach (var job in jobs)
            Assert.Equal((JobState.Queued, 1, "its worker died"), await StateAsync(job.Id));
    }

    [Fact]
    public async Task Leave_WithAJobWhoseClaimItNeverHeardOf_HandsItBack()
    {
        var job = await SubmitAndClaimAsync();

        await Queue.LeaveAsync(Worker.Id, default);

        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM workers"));
        Assert.Equal((JobState.Queued, 0, "its worker shut down"), await StateAsync(job.Id));
    }

    [Fact]
    public async Task ForgetDeadWorkers_SilentForAnHour_LeavesTheList()
    {
        var busy = await RegisterAsync();
        await SubmitAsync();
        await ClaimAsync(busy);
        await Database.ExecuteAsync("UPDATE workers SET heartbeat_at = heartbeat_at - interval '61 minutes'");
        await RegisterAsync();

        await Queue.ForgetDeadWorkersAsync(default);

        Assert.Equal(2, await Database.ScalarAsync<long>("SELECT count(*) FROM workers"));
        Assert.Equal(1, await Database.ScalarAsync<long>($"SELECT count(*) FROM workers WHERE id = '{busy.Id}'"));
    }

    private async Task<WorkerSighting> SightingAsync()
    {
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        return (await JobQueue.WatchAsync(connection, Guid.Empty, default)).Single(sighting => sighting.Worker == Worker.Id);
    }

    private async Task<(JobState, int, string?)> StateAsync(Guid id)
    {
        var job = await JobAsync(id);
        return (job.State, job.Failures, job.Reason);
    }
}
