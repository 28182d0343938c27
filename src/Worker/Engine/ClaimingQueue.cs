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
/// The queue from which Hangfire fetches attempts on this worker. A free slot claims a job from the jobs table, and only then
/// this class creates the Hangfire job. So the jobs table sets the order, and a claim that Hangfire does not carry out goes back
/// to it.
/// </summary>
internal sealed class ClaimingQueue(NpgsqlDataSource database, SlotPool slots, JobNotifier notifier, ILogger log) : AttemptQueue(database)
{
    /// <summary>The longest delay that a missed notification causes.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait between claims while Hangfire's tables refuse them; each costs a hand-back.</summary>
    private static readonly TimeSpan LongestRetryDelay = TimeSpan.FromSeconds(30);

    /// <summary>Hangfire removes a job after this time if its worker died between creating and starting it.</summary>
    private static readonly TimeSpan OrphansKept = TimeSpan.FromMinutes(10);

    private readonly ConcurrentDictionary<(Guid Job, int Attempt), FetchedAttempt> fetched = new();

    /// <summary>The storage that this queue is part of.</summary>
    public required Func<JobStorage> Storage { private get; init; }

    /// <summary>Blocks the calling thread of Hangfire, which has no other work, until an attempt is claimed.</summary>
    public override IFetchedJob Dequeue(string[] queues, CancellationToken stopping)
    {
        var slot = slots.Borrow(stopping);
        try
        {
            for (var refusals = 0; ; )
            {
                stopping.ThrowIfCancellationRequested();
                var attempt = slot.TryClaimAsync(stopping).GetAwaiter().GetResult();
                if (attempt is not null)
                {
                    notifier.Notify();
                    if (TryHandOver(slot, attempt) is { } taken)
                        return taken;
                }
                refusals = attempt is null ? 0 : refusals + 1;
                if (slot.HasFailed)
                    Wait(DatabaseRetry.Delay);
                else if (refusals > 0)
                    Wait(TimeSpan.FromSeconds(Math.Min(Math.Pow(2, refusals - 1), LongestRetryDelay.TotalSeconds)));
                else
                    notifier.Wait(PollInterval, stopping);
            }
        }
        catch
        {
            slots.Return(slot);
            throw;
        }

        void Wait(TimeSpan time) => stopping.WaitHandle.WaitOne(time);
    }

    /// <summary>Begins a fetched attempt.</summary>
    /// <returns>Null when this worker did not fetch the attempt, or when it has already begun.</returns>
    public FetchedAttempt? Begin(Guid job, int attempt) => fetched.TryGetValue((job, attempt), out var one) && one.TryBegin() ? one : null;

    /// <summary>Removes the attempt and frees its slot.</summary>
    public void End(FetchedAttempt one)
    {
        fetched.TryRemove((one.Attempt.Job.Id, one.Attempt.Job.Attempt), out _);
        slots.Return(one.Slot);
    }

    /// <returns>Null when Hangfire's tables refused the attempt; it is then handed back.</returns>
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

    /// <summary>Creates the attempt's Hangfire job in state Enqueued, which Hangfire's worker expects. No filter runs.</summary>
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

    /// <summary>Hands back an attempt that Hangfire gave up before it began.</summary>
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

    /// <summary>Sets the final state of the attempt's Hangfire job. If that fails, the sweep does it later.</summary>
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
