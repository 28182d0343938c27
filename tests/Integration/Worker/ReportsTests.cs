using Microsoft.Extensions.Logging.Abstractions;
using Temper.Integration.Store.Queue;
using Temper.Store.Queue;
using Temper.Worker.Instruments;
using Temper.Worker.Slots;
using Temper.Worker.Supervisor;

namespace Temper.Integration.Worker;

/// <summary>
/// Tests that the reports that wait while the database is unavailable are bounded and complete, and are stored together.
/// </summary>
public class ReportsTests : QueueTest
{
    [Fact]
    public async Task Add_WhileTheDatabaseIsAway_ReturnsAtOnceAndAllIsStoredWhenItIsBack()
    {
        using var proxy = new TcpProxy(Database.ConnectionString);
        await using var database = Npgsql.NpgsqlDataSource.Create(proxy.ConnectionString);
        var job = await SubmitAndClaimAsync();
        var reports = new Reports(AttemptOf(job), new JobQueue(database), NullLogger.Instance);
        reports.AddEpoch(Metrics, [1]);
        await Eventually.TrueAsync(async () => await CountAsync() == 1);

        proxy.Cut();
        reports.AddTrainingStarted(note: null);
        for (var epoch = 2; epoch <= 30; epoch++)
        {
            reports.AddEpoch(Metrics with { Epoch = epoch }, checkpoint: epoch % 2 == 0 ? [(byte)epoch] : null);
            Assert.True(reports.Room.IsCompleted);
        }
        reports.AddCheckpoint([77]);
        var closed = reports.CloseAsync();
        Assert.Equal(1, await CountAsync());
        proxy.Mend();

        Assert.Null(await closed);
        Assert.Equal(30, await CountAsync());
        Assert.Equal([77], await Queue.ReadCheckpointAsync(job, default));
        Assert.NotNull((await JobAsync(job.Id)).TrainingStartedAt);
    }

    [Fact]
    public async Task Room_WhenAThousandEpochsWait_IsThereAgainOnceTheyAreStored()
    {
        using var proxy = new TcpProxy(Database.ConnectionString);
        await using var database = Npgsql.NpgsqlDataSource.Create(proxy.ConnectionString);
        var job = await SubmitAndClaimAsync();
        proxy.Cut();
        var reports = new Reports(AttemptOf(job), new JobQueue(database), NullLogger.Instance);

        // The writer takes some epochs and fails to store them; a thousand more fit.
        var epoch = 0;
        while (reports.Room.IsCompleted)
            reports.AddEpoch(Metrics with { Epoch = ++epoch }, null);
        Assert.InRange(epoch, 1000, 2000);
        var room = reports.Room;
        proxy.Mend();

        await room.WaitAsync(TimeSpan.FromSeconds(30));
        await reports.CloseAsync();
        Assert.Equal(epoch, await CountAsync());
    }

    [Fact]
    public async Task Add_ByAnAttemptThatLostItsJob_StopsTheAttemptAndStoresNothing()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.HandBackAsync(job, "taken away", default);
        var attempt = AttemptOf(job);
        var reports = new Reports(attempt, Queue, NullLogger.Instance);

        reports.AddEpoch(Metrics, [1]);

        Assert.Equal(StopReason.Lost, await attempt.StopAsked.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Null(await reports.CloseAsync());
        Assert.Equal(0, await CountAsync());
    }

    [Fact]
    public async Task Add_OfWhatTheDatabaseRefuses_StopsTheAttemptWithTheReason()
    {
        await Database.ExecuteAsync("ALTER TABLE epochs ADD CONSTRAINT nothing CHECK (false)");
        var attempt = AttemptOf(await SubmitAndClaimAsync());
        var reports = new Reports(attempt, Queue, NullLogger.Instance);

        reports.AddEpoch(Metrics, null);

        Assert.Equal(StopReason.ReportRefused, await attempt.StopAsked.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("nothing", await reports.CloseAsync());
    }

    private Task<long> CountAsync() => Database.ScalarAsync<long>("SELECT count(*) FROM epochs");

    private static Attempt AttemptOf(ClaimedJob job) => new(job, AttemptTelemetry.Claimed(job, DateTimeOffset.UtcNow, 0));
}
