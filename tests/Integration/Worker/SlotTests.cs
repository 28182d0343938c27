using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Temper.Integration.Store.Queue;
using Temper.Store.Queue;
using Temper.Worker;
using Temper.Worker.Instruments;
using Temper.Worker.Slots;
using Temper.Worker.Supervisor;

namespace Temper.Integration.Worker;

/// <summary>Tests that an attempt ends once, as what became of its job.</summary>
public sealed class SlotTests : QueueTest
{
    [Fact]
    public async Task HandBack_OfAnAttemptThatWasTakenAway_IsLost()
    {
        var (job, outcomes, attempt) = await ClaimedAsync();
        using var listener = outcomes;
        await using var slot = SlotOn(Queue);

        await Queue.HandBackAsync(job, "taken away", default);
        await slot.HandBackAsync(attempt, "not carried out");

        Assert.Equal(["lost"], outcomes.Of(job));
    }

    [Fact]
    public async Task HandBack_ThatCannotBeStored_EndsTheSpan()
    {
        var (job, outcomes, attempt) = await ClaimedAsync();
        using var listener = outcomes;
        var closed = NpgsqlDataSource.Create(Database.ConnectionString);
        await closed.DisposeAsync();
        await using var slot = SlotOn(new JobQueue(closed));

        await Assert.ThrowsAsync<ObjectDisposedException>(() => slot.HandBackAsync(attempt, "not carried out"));

        Assert.Equal(["lost"], outcomes.Of(job));
    }

    [Theory]
    [InlineData(true, "lost")]
    [InlineData(false, "failed")]
    public async Task CarryOut_InASlotThatFails_IsLostWhenTheJobWasTakenAway(bool isTaken, string outcome)
    {
        var (job, outcomes, attempt) = await ClaimedAsync();
        using var listener = outcomes;
        await using var slot = SlotOn(Queue); // without a runner it fails
        if (isTaken)
            await Queue.HandBackAsync(job, "taken away", default);

        Assert.Equal(outcome, (await slot.CarryOutAsync(attempt, default)).Outcome);

        Assert.Equal([outcome], outcomes.Of(job));
    }

    private async Task<(ClaimedJob, Outcomes, Attempt)> ClaimedAsync()
    {
        var outcomes = new Outcomes();
        var job = await SubmitAndClaimAsync();
        return (job, outcomes, new(job, AttemptTelemetry.Claimed(job, DateTimeOffset.UtcNow, 0)));
    }

    private Slot SlotOn(JobQueue queue) =>
        new(
            new(0, 1, null, false),
            new(null, new(3, TimeSpan.FromMinutes(1), TimeProvider.System)),
            Worker,
            queue,
            uploads: null!, // the job names no uploaded data set
            new WorkerOptions { Home = Path.GetTempPath() },
            NullLogger.Instance
        );

    /// <summary>The ended spans of attempts.</summary>
    private sealed class Outcomes : IDisposable
    {
        private readonly List<(object? Job, object? Outcome)> ended = [];
        private readonly ActivityListener listener;

        public Outcomes()
        {
            listener = new()
            {
                ShouldListenTo = source => source.Name == WorkerMeter.Name,
                Sample = (ref _) => ActivitySamplingResult.AllData,
                ActivityStopped = span =>
                {
                    if (span.OperationName == "attempt")
                        lock (ended)
                            ended.Add((span.GetTagItem("temper.job.id"), span.GetTagItem("temper.attempt.outcome")));
                },
            };
            ActivitySource.AddActivityListener(listener);
        }

        public IEnumerable<object?> Of(ClaimedJob job)
        {
            lock (ended)
                return [.. ended.Where(span => Equals(span.Job, job.Id.ToString())).Select(span => span.Outcome)];
        }

        public void Dispose() => listener.Dispose();
    }
}
