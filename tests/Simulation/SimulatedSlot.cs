using Temper.Harness.Model;
using Temper.Worker.Slots;

namespace Temper.Simulation;

/// <summary>
/// Simulates Slot.cs and its runner. A training is a number of half epochs, and a checkpoint is the number of those that are
/// done. The runner may make one in the middle of an epoch or at its end.
/// </summary>
internal sealed class SimulatedSlot(SimulatedWorker worker)
{
    private readonly World world = worker.World;
    private readonly Simulation simulation = worker.Simulation;

    public SimulatedAttempt? Attempt { get; set; }

    /// <summary>Whether the slot executes the attempt; before that Hangfire is still handing it over.</summary>
    public bool IsTraining { get; private set; }

    public async Task CarryOutAsync(SimulatedAttempt attempt)
    {
        world.InvariantChecker.Begins(this);
        IsTraining = true;
        if (worker.IsStopping)
            attempt.AskToStop(StopReason.ShuttingDown);
        await RecordAsync(attempt, await TrainAsync(attempt));
        (Attempt, IsTraining) = (null, false);
    }

    public async Task HandBackAsync(SimulatedAttempt attempt, string reason)
    {
        await worker.UntilAnsweredAsync(Deed.HandBack, attempt, queue => queue.HandBack(attempt.Id, attempt.Number, reason));
        Attempt = null;
    }

    private async Task<Outcome> TrainAsync(SimulatedAttempt attempt)
    {
        var halvesDone =
            attempt.Number == 1
                ? 0
                : await worker.UntilAnsweredAsync(Deed.ReadCheckpoint, attempt, queue => queue.ReadCheckpoint(attempt.Id)) ?? 0;
        var reports = new SimulatedReports(worker, attempt);
        var ending = await RunAsync(attempt, reports, halvesDone);
        await reports.CloseAsync();
        return ending;
    }

    /// <summary>Simulates TrainingRun.cs and the messages of its runner.</summary>
    private async Task<Outcome> RunAsync(SimulatedAttempt attempt, SimulatedReports reports, int halvesDone)
    {
        var halves = 2 * world.EpochsOf[attempt.Id];
        var slowest = simulation.Random.NextDouble(0.1, 5);
        reports.AddTrainingStarted();
        while (halvesDone < halves)
        {
            await attempt.StopSignal.WaitAsync(simulation.Between(0.05, world.FaultSchedule.IsOver ? 0.5 : slowest));
            if (attempt.Stop is { } stop)
                return await StopAsync(reports, stop, halvesDone);
            if (simulation.Chance(world.FaultSchedule.RunnerFailures))
                return simulation.Chance(0.8) ? Outcome.GaveUp : Outcome.Failed;
            halvesDone++;
            var checkpoint = simulation.Chance(0.5) ? halvesDone : (int?)null;
            if (halvesDone % 2 == 0)
                reports.AddEpoch(halvesDone / 2, checkpoint);
            else if (checkpoint is not null)
                reports.AddCheckpoint(halvesDone);
        }
        return attempt.Stop == StopReason.Lost ? Outcome.Lost : Outcome.Succeeded;
    }

    /// <summary>A runner that obeys the stop makes a last checkpoint; the worker kills one that does not.</summary>
    private async Task<Outcome> StopAsync(SimulatedReports reports, StopReason stop, int halvesDone)
    {
        await worker.Delay(simulation.Between(0, stop is StopReason.Paused or StopReason.ShuttingDown ? 5 : 0.5));
        if (simulation.Chance(0.8))
            reports.AddCheckpoint(halvesDone);
        return stop == StopReason.Lost ? Outcome.Lost : Outcome.Stopped;
    }

    private Task<bool> RecordAsync(SimulatedAttempt attempt, Outcome ending)
    {
        var (id, number) = (attempt.Id, attempt.Number);
        return ending switch
        {
            Outcome.Succeeded => worker.UntilAnsweredAsync(Deed.Succeed, attempt, queue => queue.Succeed(id, number)),
            Outcome.GaveUp => worker.UntilAnsweredAsync(Deed.GiveBack, attempt, queue => queue.GiveBack(id, number, "its runner crashed")),
            Outcome.Failed => worker.UntilAnsweredAsync(Deed.Fail, attempt, queue => queue.Fail(id, number, "it diverged")),
            Outcome.Stopped => worker.UntilAnsweredAsync(
                Deed.HandBack,
                attempt,
                queue => queue.HandBack(id, number, "its worker shut down")
            ),
            _ => Task.FromResult(true),
        };
    }

    private enum Outcome
    {
        Succeeded,
        GaveUp,
        Failed,
        Stopped,
        Lost,
    }
}

internal sealed class SimulatedAttempt(Process worker, Guid id, int number)
{
    public Guid Id { get; } = id;

    public int Number { get; } = number;

    public Signal StopSignal { get; } = new(worker);

    /// <summary>The first reason for which the attempt was asked to stop; later ones are ignored.</summary>
    public StopReason? Stop { get; private set; }

    public void AskToStop(StopReason reason)
    {
        Stop ??= reason;
        StopSignal.Raise();
    }

    public bool Is(OwnedJob job) => (job.Id, job.Attempt) == (Id, Number);
}
