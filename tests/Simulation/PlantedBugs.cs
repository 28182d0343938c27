using Temper.Domain.Jobs;
using Temper.Harness.Model;
using Temper.Store.Queue;
using Temper.Worker.Supervisor;

namespace Temper.Simulation;

/// <summary>The bugs that the simulation must catch: likely mistakes, each of which changes one rule.</summary>
internal static class PlantedBugs
{
    public static IReadOnlyDictionary<string, PlantedBug> All { get; } =
        new Dictionary<string, PlantedBug>
        {
            ["a report is not fenced"] = new(1_000, (clock, random) => new UnfencedReport(clock, random)),
            ["a success is not fenced"] = new(1_000, (clock, random) => new UnfencedSuccess(clock, random)),
            ["writes are fenced by the worker, not by the attempt"] = new(5_000, (clock, random) => new FencedByWorker(clock, random)),
            ["a claim keeps the attempt's number"] = new(1_000, (clock, random) => new SameAttempt(clock, random)),
            ["a claim looks first and takes later"] = new(1_000, Worker: (world, id, slots) => new ClaimsInTwoSteps(world, id, slots)),
            ["a claim ignores the revision"] = new(1_000, (clock, random) => new KnowsEveryRevision(clock, random)),
            ["a claim does not look whether its worker drains"] = new(1_000, (clock, random) => new ClaimsWhileDraining(clock, random)),
            ["the lease is judged by the worker's own clock"] = new(
                1_000,
                Worker: (world, id, slots) => new ReadsItsOwnClock(world, id, slots)
            ),
            ["the watch goes on over an outage"] = new(5_000, Worker: (world, id, slots) => new WatchesOverOutages(world, id, slots)),
            ["a worker is lost at first sight"] = new(1_000, Worker: (world, id, slots) => new JudgesAtFirstSight(world, id, slots)),
            ["silence counts while the watcher's own heartbeats are not stored"] = new(
                20_000,
                Worker: (world, id, slots) => new TrustsItself(world, id, slots)
            ),
            ["a silent worker is lost although its lock is held"] = new(
                1_000,
                Worker: (world, id, slots) => new IgnoresLocks(world, id, slots)
            ),
            ["the presence lock is tried instead of read"] = new(40_000, Worker: (world, id, slots) => new TriesLocks(world, id, slots)),
            ["presence ends before the jobs are handed back"] = new(
                20_000,
                Worker: (world, id, slots) => new LeavesEarly(world, id, slots)
            ),
            ["a rescue does not look for a heartbeat since"] = new(30_000, (clock, random) => new UnguardedRescue(clock, random)),
            ["epochs are keyed by attempt as well"] = new(1_000, (clock, random) => new EpochsByAttempt(clock, random)),
            ["a fresh retry keeps the epochs"] = new(1_000, (clock, random) => new FreshRetryKeepsEpochs(clock, random)),
            ["a retry keeps the failures"] = new(1_000, (clock, random) => new RetryKeepsFailures(clock, random)),
            ["a failed attempt is not counted"] = new(1_000, (clock, random) => new FailureNotCounted(clock, random)),
            ["a hand-back is counted"] = new(1_000, (clock, random) => new HandBackCounted(clock, random)),
            ["a cancel is lost in a rescue"] = new(1_000, (clock, random) => new RescueForgetsCancel(clock, random)),
            ["a pause overrides a cancel"] = new(1_000, (clock, random) => new PauseOverridesCancel(clock, random)),
            ["a success keeps the checkpoint"] = new(1_000, (clock, random) => new SuccessKeepsCheckpoint(clock, random)),
            ["a running job can be deleted"] = new(1_000, (clock, random) => new DeletesRunning(clock, random)),
            ["a claim whose answer was lost never goes back"] = new(
                1_000,
                Worker: (world, id, slots) => new KeepsUnknown(world, id, slots)
            ),
            ["a claim whose answer is under way goes back"] = new(
                10_000,
                Worker: (world, id, slots) => new GivesBackAtOnce(world, id, slots)
            ),
            ["what a worker knows is what it knew before its heartbeat"] = new(
                20_000,
                Worker: (world, id, slots) => new KnewBefore(world, id, slots)
            ),
            ["a report whose answer was lost counts as stored"] = new(
                1_000,
                Worker: (world, id, slots) => new ReportsOnce(world, id, slots)
            ),
            ["a restarted server hands back what its old threads run"] = new(
                2_000,
                Worker: (world, id, slots) => new HandsBackAtRestart(world, id, slots)
            ),
            ["a slot is freed twice"] = new(1_000, Worker: (world, id, slots) => new FreesTwice(world, id, slots)),
            ["an attempt that Hangfire hands over again is begun again"] = new(
                2_000,
                Worker: (world, id, slots) => new BeginsTwice(world, id, slots)
            ),
            ["the sweep closes what is not of a living worker"] = new(
                2_000,
                Worker: (world, id, slots) => new SweepsTheSilent(world, id, slots)
            ),
            ["checkpoint and epochs are two statements"] = new(
                1_000,
                Worker: (world, id, slots) => new ReportsInTwoSteps(world, id, slots)
            ),
        };

    // Bugs in the queue

    private sealed class UnfencedReport(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool Report(Guid id, int attempt, IReadOnlyList<int> epochs, int? checkpoint)
        {
            if (Find(id) is not { } job)
                return false;
            job.Checkpoint = checkpoint ?? job.Checkpoint;
            foreach (var epoch in epochs)
                Store(job, epoch, attempt);
            return true;
        }
    }

    private sealed class UnfencedSuccess(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool Succeed(Guid id, int attempt)
        {
            if (Find(id) is not { } job)
                return false;
            End(job, JobState.Succeeded, AttemptOutcome.Succeeded, counted: 0, delaySeconds: 0, reason: null);
            job.Checkpoint = null;
            return true;
        }
    }

    private sealed class ClaimsWhileDraining(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        protected override bool MayClaim(Guid worker) => Heartbeats.ContainsKey(worker);
    }

    private sealed class FencedByWorker(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        private readonly Dictionary<(Guid, int), Guid> claims = [];

        public override (Guid Id, int Attempt)? Claim(Guid worker, bool hasCuda, int knownRevision)
        {
            var claimed = base.Claim(worker, hasCuda, knownRevision);
            if (claimed is { } job)
                claims[job] = worker;
            return claimed;
        }

        protected override TwinJob? Held(Guid id, int attempt) =>
            Find(id) is { State: JobState.Running } job && job.WorkerId == claims.GetValueOrDefault((id, attempt)) ? job : null;
    }

    private sealed class SameAttempt(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        protected override int NextAttempt(TwinJob job) => Math.Max(1, job.Attempt);
    }

    private sealed class KnowsEveryRevision(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        protected override bool Knows(int knownRevision, TwinJob job) => true;
    }

    private sealed class UnguardedRescue(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override IReadOnlyList<Guid> Rescue(WorkerSighting lost, string reason) => EndLost(lost.Worker, reason);
    }

    private sealed class EpochsByAttempt(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        protected override void Store(TwinJob job, int epoch, int attempt)
        {
            if (!job.Epochs.Contains((epoch, attempt)))
                job.Epochs.Add((epoch, attempt));
        }
    }

    private sealed class FreshRetryKeepsEpochs(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool Retry(Guid id, bool fresh)
        {
            if (!base.Retry(id, fresh: false))
                return false;
            if (fresh)
                Find(id)!.Checkpoint = null;
            return true;
        }
    }

    private sealed class RetryKeepsFailures(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool Retry(Guid id, bool fresh)
        {
            var failures = Find(id)?.Failures;
            if (!base.Retry(id, fresh))
                return false;
            Find(id)!.Failures = failures!.Value;
            return true;
        }
    }

    private sealed class FailureNotCounted(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool GiveBack(Guid id, int attempt, string reason)
        {
            if (Held(id, attempt) is not { } job)
                return false;
            End(job, AfterFailure(job), AttemptOutcome.Failed, counted: 0, delaySeconds: 1, reason);
            return true;
        }
    }

    private sealed class HandBackCounted(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        protected override void EndStopped(TwinJob job, string reason) =>
            End(job, AfterFailure(job), AttemptOutcome.HandedBack, counted: 1, delaySeconds: 0, reason);
    }

    private sealed class RescueForgetsCancel(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        protected override IReadOnlyList<Guid> EndLost(Guid worker, string reason)
        {
            foreach (var job in Jobs)
                if (job.WorkerId == worker)
                    job.StopRequested = null;
            return base.EndLost(worker, reason);
        }
    }

    private sealed class PauseOverridesCancel(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool Pause(Guid id)
        {
            if (Find(id) is { StopRequested: StopRequest.Cancel } job)
                job.StopRequested = null;
            return base.Pause(id);
        }
    }

    private sealed class SuccessKeepsCheckpoint(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool Succeed(Guid id, int attempt)
        {
            var checkpoint = ReadCheckpoint(id);
            if (!base.Succeed(id, attempt))
                return false;
            Find(id)!.Checkpoint = checkpoint;
            return true;
        }
    }

    private sealed class DeletesRunning(Func<DateTimeOffset> clock, Func<double> random) : TwinQueue(clock, random)
    {
        public override bool Delete(Guid id)
        {
            if (Find(id) is { State: JobState.Running } job)
                (job.State, job.WorkerId) = (JobState.Cancelled, null);
            return base.Delete(id);
        }
    }

    // Bugs in the worker

    private sealed class ClaimsInTwoSteps(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override async Task<Answer<(Guid Id, int Attempt)?>> ClaimAsync()
        {
            var seen = await Ask(
                Deed.Watch,
                queue =>
                    queue.Jobs.FirstOrDefault(job =>
                        job.State == JobState.Queued && job.RunAt <= Simulation.DatabaseTime && job.SpecRevision <= KnownRevision
                    )
            );
            if (seen.Value is not { } job)
                return new(seen.Came, null);
            return await Ask<(Guid, int)?>(
                Deed.Claim,
                _ =>
                {
                    (job.State, job.Attempt, job.WorkerId, job.ClaimedAt) = (
                        JobState.Running,
                        job.Attempt + 1,
                        Id,
                        Simulation.DatabaseTime
                    );
                    return (job.Id, job.Attempt);
                }
            );
        }
    }

    private sealed class ReadsItsOwnClock(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override IReadOnlyList<WorkerSighting> Watch(TwinQueue queue, Session session) =>
            [.. base.Watch(queue, session).Select(sighting => sighting with { SeenAt = sighting.SeenAt + ClockError })];
    }

    private class TrustsItself(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override IReadOnlyList<WorkerSighting> Watch(TwinQueue queue, Session session) =>
            [.. base.Watch(queue, session).Select(seen => seen.Worker == Id ? seen with { HeartbeatAt = seen.SeenAt } : seen)];
    }

    private sealed class WatchesOverOutages(World world, Guid id, int slots) : TrustsItself(world, id, slots)
    {
        private readonly LostWorkers watch = new(id, world.Lease);

        public override LostWorkers NewWatch() => watch;
    }

    private sealed class JudgesAtFirstSight(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override IReadOnlyList<(WorkerSighting Worker, string Reason)> Judge(
            LostWorkers watch,
            IReadOnlyList<WorkerSighting> sightings
        ) =>
            [
                .. sightings
                    .Where(seen => seen.Worker != Id)
                    .Where(seen => !seen.Present && seen.HeartbeatAge > LostWorkers.Watched || seen.HeartbeatAge > World.Lease)
                    .Select(seen => (seen, "its worker died")),
            ];
    }

    private sealed class IgnoresLocks(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override IReadOnlyList<WorkerSighting> Watch(TwinQueue queue, Session session) => queue.Watch(Id, _ => false);
    }

    private sealed class TriesLocks(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override IReadOnlyList<WorkerSighting> Watch(TwinQueue queue, Session session) =>
            queue.Watch(Id, worker => !World.Server.TryLock(worker, session) || worker == Id);
    }

    private sealed class LeavesEarly(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override bool StaysPresent => !IsStopping;
    }

    private sealed class KeepsUnknown(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        protected override bool GivesBackUnknown(OwnedJob job) => false;
    }

    private sealed class GivesBackAtOnce(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        protected override bool GivesBackUnknown(OwnedJob job) => true;
    }

    private sealed class KnewBefore(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        protected override bool Knows(List<SimulatedAttempt> before, OwnedJob job) => before.Exists(attempt => attempt.Is(job));
    }

    private sealed class HandsBackAtRestart(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override void RestartedServer(IReadOnlyList<SimulatedFetch> fetched)
        {
            foreach (var fetch in fetched)
                _ = UntilAnsweredAsync(
                    Deed.HandBack,
                    fetch.Attempt,
                    queue => queue.HandBack(fetch.Attempt.Id, fetch.Attempt.Number, "its server restarted")
                );
        }
    }

    private sealed class FreesTwice(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override bool FreesSlotAtDisposal => true;
    }

    private sealed class BeginsTwice(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override bool Begins(SimulatedFetch fetch) => true;
    }

    private sealed class SweepsTheSilent(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override bool IsOver(TwinQueue queue, Guid job, int attempt) =>
            base.IsOver(queue, job, attempt) || queue.Find(job) is { WorkerId: { } owner } && !World.Server.IsLocked(owner);
    }

    private sealed class ReportsOnce(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override async Task<bool?> ReportAsync(SimulatedAttempt attempt, IReadOnlyList<int> epochs, int? checkpoint) =>
            await base.ReportAsync(attempt, epochs, checkpoint) ?? true;
    }

    private sealed class ReportsInTwoSteps(World world, Guid id, int slots) : SimulatedWorker(world, id, slots)
    {
        public override async Task<bool?> ReportAsync(SimulatedAttempt attempt, IReadOnlyList<int> epochs, int? checkpoint) =>
            checkpoint is not null && await base.ReportAsync(attempt, [], checkpoint) is not true
                ? null
                : await base.ReportAsync(attempt, epochs, null);
    }
}
