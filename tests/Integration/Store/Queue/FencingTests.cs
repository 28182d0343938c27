using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Integration.Store.Queue;

/// <summary>Tests the fence: a worker that lost its job can make none of its writes.</summary>
public class FencingTests : QueueTest
{
    public static TheoryData<string> Writes => [.. AllWrites.Keys];

    private static readonly Dictionary<string, Func<JobQueue, ClaimedJob, Task<bool>>> AllWrites = new()
    {
        ["training started"] = (queue, job) => queue.ReportTrainingStartedAsync(job, null, default),
        ["epoch"] = (queue, job) => queue.ReportAsync(job, [Metrics], [1], default),
        ["checkpoint"] = (queue, job) => queue.ReportAsync(job, [], [1], default),
        ["succeed"] = (queue, job) => queue.SucceedAsync(job, Result, Model, default),
        ["fail"] = (queue, job) => queue.FailAsync(job, "test", default),
        ["hand back"] = (queue, job) => queue.HandBackAsync(job, "test", default),
        ["give back"] = (queue, job) => queue.GiveBackAsync(job, "test", null, default),
    };

    [Fact]
    public async Task Heartbeat_WithAnEarlierAttemptAtAJobClaimedAgain_SaysThatOnlyTheLaterIsHeld()
    {
        var stale = await SubmitAndClaimAsync();
        await Queue.HandBackAsync(stale, "taken away", default);
        var current = await ClaimAsync();
        var (old, now) = (new TrainingProgress(9, 9, 9, 9, 9, 9), new TrainingProgress(1, 3, 1, 29, 4000, 8));

        var held = await Queue.HeartbeatAsync(Worker, [new(stale, old), new(current, now)], null, default);

        Assert.Equal([(current.Id, current.Attempt)], held.Keys);
        Assert.Equal(now, (await JobAsync(current.Id)).Progress);
    }

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task Write_ByAnEarlierAttempt_ChangesNothing(string write)
    {
        var stale = await SubmitAndClaimAsync();
        await Queue.HandBackAsync(stale, "taken away", default);
        var current = await ClaimAsync();
        var before = await RowAsync(current.Id);

        Assert.False(await AllWrites[write](Queue, stale));

        Assert.Equal(before, await RowAsync(current.Id));
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>(
                "SELECT (SELECT count(*) FROM epochs) + (SELECT count(*) FROM models) + (SELECT count(*) FROM checkpoints)"
            )
        );
    }

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task Write_AfterTheJobEnded_ChangesNothing(string write)
    {
        var job = await SubmitAndClaimAsync();
        await Queue.FailAsync(job, "test", default);
        var before = await RowAsync(job.Id);

        Assert.False(await AllWrites[write](Queue, job));

        Assert.Equal(before, await RowAsync(job.Id));
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>(
                "SELECT (SELECT count(*) FROM epochs) + (SELECT count(*) FROM models) + (SELECT count(*) FROM checkpoints)"
            )
        );
    }

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task Write_ByTheCurrentAttempt_IsTaken(string write)
    {
        var job = await SubmitAndClaimAsync();
        var before = await RowAsync(job.Id);

        Assert.True(await AllWrites[write](Queue, job));

        Assert.True(
            before != await RowAsync(job.Id)
                || await Database.ScalarAsync<long>("SELECT (SELECT count(*) FROM epochs) + (SELECT count(*) FROM checkpoints)") > 0
        );
    }

    [Fact]
    public async Task ReportEpoch_WhileARescueIsUncommitted_WaitsAndThenWritesNothing()
    {
        var job = await SubmitAndClaimAsync();
        await using var rescuer = await Database.DataSource.OpenConnectionAsync();
        await using var rescue = await rescuer.BeginTransactionAsync();
        await ExecuteAsync(rescuer, $"UPDATE jobs SET state = 'queued', worker_id = NULL WHERE id = '{job.Id}'");

        var report = Queue.ReportAsync(job, [Metrics], null, default);
        await WaitForABlockedSessionAsync();
        Assert.False(report.IsCompleted);
        await rescue.CommitAsync();

        Assert.False(await report);
        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM epochs"));
    }

    private Task<string> RowAsync(Guid id) => Database.ScalarAsync<string>($"SELECT jobs::text FROM jobs WHERE id = '{id}'");

    private Task WaitForABlockedSessionAsync() =>
        Eventually.TrueAsync(async () =>
            await Database.ScalarAsync<long>(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ) > 0
        );

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
