using System.Collections.Concurrent;
using System.Globalization;
using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Hangfire.Storage;
using Npgsql;
using Temper.Store.Engine;
using Temper.Worker.Slots;

namespace Temper.Worker.Engine;

/// <summary>
/// What Hangfire takes out of the queue of attempts on this worker: a free slot claims a job of the table, and only then its job of
/// Hangfire's is made. So the table keeps the order, and a claim that Hangfire does not carry out goes back to it.
/// </summary>
internal sealed class ClaimingQueue(NpgsqlDataSource database, SlotPool slots, JobNotifier notifier, ILogger log) : AttemptQueue(database)
{
    /// <summary>What a missed notification costs at most.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    /// <summary>Claims and hand-backs go round while Hangfire's tables refuse what the jobs table takes.</summary>
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(30);

    /// <summary>A job of Hangfire's that was made but not begun, because its worker died, is gone after this.</summary>
    private static readonly TimeSpan OrphansKept = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<(Guid Job, int Attempt), FetchedAttempt> fetched = new();

    /// <summary>The storage that this queue is part of.</summary>
    public required Func<JobStorage> Storage { private get; init; }

    /// <summary>Called on a thread of Hangfire's, which has nothing else to do.</summary>
    public override IFetchedJob Dequeue(string[] queues, CancellationToken stopping)
    {
        var slot = slots.Borrow(stopping);
        try
        {
            for (var refusals = 0; ; )
            {
                stopping.ThrowIfCancellationRequested();
                var notice = notifier.NextNotice;
                var attempt = slot.TryClaimAsync(stopping).GetAwaiter().GetResult();
                if (attempt is not null && TryHandOver(slot, attempt) is { } taken)
                    return taken;
                refusals = attempt is null ? 0 : refusals + 1;
                if (slot.HasFailed)
                    Wait(DatabaseRetry.Delay);
                else if (refusals > 0)
                    Wait(TimeSpan.FromSeconds(Math.Min(Math.Pow(2, refusals - 1), LongestRetryDelay.TotalSeconds)));
                else
                    Task.WaitAny([notice, Task.Delay(PollInterval, stopping)]);
            }
        }
        catch
        {
            slots.Return(slot);
            throw;
        }

        void Wait(TimeSpan time) => stopping.WaitHandle.WaitOne(time);
    }

    /// <summary>An attempt that was taken out under this number and not begun; null for any other.</summary>
    public FetchedAttempt? Begin(Guid job, int attempt) => fetched.TryGetValue((job, attempt), out var one) && one.TryBegin() ? one : null;

    /// <summary>The slot is free for the next.</summary>
    public void End(FetchedAttempt one)
    {
        fetched.TryRemove((one.Attempt.Job.Id, one.Attempt.Job.Attempt), out _);
        slots.Return(one.Slot);
    }

    /// <returns>Null when Hangfire's tables refused it: then it went back.</returns>
    private FetchedAttempt? TryHandOver(ISlot slot, Attempt attempt)
    {
        try
        {
            var one = new FetchedAttempt(this, slot, attempt, Create(attempt));
            fetched[(attempt.Job.Id, attempt.Job.Attempt)] = one;
            return one;
        }
        catch (Exception e)
        {
            log.LogWarning(
                "Job {JobId} attempt {Attempt} goes back, because Hangfire's tables refuse it: {Reason}",
                attempt.Job.Id,
                attempt.Job.Attempt,
                e.Message
            );
            slot.HandBackAsync(attempt, "Hangfire's tables refused it").GetAwaiter().GetResult();
            return null;
        }
    }

    /// <summary>The attempt's job of Hangfire's, in the state in which Hangfire's worker takes it up. No filter sees its making.</summary>
    private string Create(Attempt attempt)
    {
        var job = attempt.Job;
        var label = string.Create(
            CultureInfo.InvariantCulture,
            $"{job.Spec.Name ?? job.Spec.Dataset}, ε {job.Spec.Epsilon}, attempt {job.Attempt}"
        );
        using var connection = Storage().GetConnection();
        var id = connection.CreateExpiredJob(
            Job.FromExpression<ITraining>(training => training.TrainAsync(job.Id, job.Attempt, label), EngineStorage.Trainings),
            new Dictionary<string, string>(),
            DateTime.UtcNow,
            OrphansKept
        );
        using var transaction = connection.CreateWriteTransaction();
        transaction.SetJobState(id, new EnqueuedState(EngineStorage.Trainings));
        transaction.Commit();
        return id;
    }

    /// <summary>Hangfire gave it up before it began.</summary>
    internal void HandBack(FetchedAttempt one)
    {
        const string reason = "Hangfire did not start it";
        try
        {
            one.Slot.HandBackAsync(one.Attempt, reason).GetAwaiter().GetResult();
        }
        finally
        {
            End(one);
        }
        Tell(one, new("handed_back", reason));
    }

    /// <summary>Gives the attempt's job of Hangfire's its last state. Where that fails, the sweep does it.</summary>
    internal void Tell(FetchedAttempt one, AttemptResult result)
    {
        try
        {
            new BackgroundJobClient(Storage()).ChangeState(one.JobId, result.ToState());
        }
        catch (Exception e)
        {
            log.LogWarning(
                "Job {JobId} attempt {Attempt}: Hangfire was not told that it is {Outcome}: {Reason}",
                one.Attempt.Job.Id,
                one.Attempt.Job.Attempt,
                result.Outcome,
                e.Message
            );
        }
    }
}
