using Temper.Domain.Jobs;
using Temper.Harness.Model;

namespace Temper.Simulation;

/// <summary>
/// Compares every job after every statement with its state before. The checker states the promises of docs/lifecycle.md in terms
/// of which worker did what, and does not depend on how the queue keeps them.
/// </summary>
internal sealed class InvariantChecker(World world)
{
    /// <summary>
    /// The server notices a dead worker's connection within 8 s, and the workers then watch the dead worker for 3 s. A late claim
    /// may arrive before.
    /// </summary>
    private static readonly TimeSpan RescuedWithin = TimeSpan.FromSeconds(15);

    private readonly List<SeenJob> jobs = [];
    private readonly HashSet<Guid> acknowledged = [],
        deleted = [],
        drains = [],
        drained = [];
    private readonly Dictionary<Guid, DateTimeOffset> lastBeat = [];

    /// <summary>How often each kind of statement changed a job, by <see cref="Deed"/>.</summary>
    public long[] Changing { get; } = new long[Enum.GetValues<Deed>().Length];

    /// <summary>How often each kind of statement changed no job, by <see cref="Deed"/>.</summary>
    public long[] Idle { get; } = new long[Enum.GetValues<Deed>().Length];

    private Simulation Simulation => world.Simulation;

    private TwinQueue Queue => world.Server.Queue;

    /// <summary>A worker's drain was answered.</summary>
    public void Drained(Guid worker)
    {
        if (drains.Contains(worker))
            drained.Add(worker);
    }

    public void Acknowledge(Guid job) => acknowledged.Add(job);

    /// <param name="answer">The answer to the statement.</param>
    /// <returns>Whether a job changed.</returns>
    public bool Saw(Statement statement, object? answer)
    {
        if (statement.OnlyReads)
            return false;
        if (statement.Deed is Deed.Sweep or Deed.TellOver)
            Promise(!Runs(statement.Job, statement.Attempt), "Hangfire is not told that an attempt is over which runs");
        if (statement.Deed == Deed.HandBack)
            CheckHandBack(statement);
        SeeDrain(statement);
        var changed = false;
        if (Simulation.IsLogged)
            Log(statement, answer);
        if (statement.Deed == Deed.Beat)
            lastBeat[statement.Worker] = Simulation.DatabaseTime;
        if (statement.Deed == Deed.Submit)
        {
            jobs.Add(new(Queue.Find(statement.Job)!));
            changed = true;
        }
        for (var i = jobs.Count - 1; i >= 0; i--)
            if (Queue.Find(jobs[i].Id) is { } row)
                changed |= Check(jobs[i], row, statement, answer is true);
            else
            {
                Promise(
                    statement.Deed == Deed.Delete && statement.Job == jobs[i].Id && jobs[i].State != JobState.Running,
                    "a job vanishes only when its user deletes it, and not while it runs"
                );
                deleted.Add(jobs[i].Id);
                jobs.RemoveAt(i);
                changed = true;
            }
        (changed ? Changing : Idle)[(int)statement.Deed]++;
        return changed;
    }

    /// <summary>
    /// A promise broken outside of a statement, in a process that would swallow an exception; null if there is none.
    /// </summary>
    public string? Broken { get; private set; }

    public void Begins(SimulatedSlot slot)
    {
        if (slot.IsTraining)
            Broken ??= "a slot carries out one attempt at a time, and each once";
    }

    public void SawTheEnd()
    {
        foreach (var job in acknowledged)
            Promise(Queue.Find(job) is not null || deleted.Contains(job), "an acknowledged job is never lost");
    }

    /// <summary>
    /// Keeps which workers are told to drain. The row of a worker that leaves or is forgotten takes the drain with it.
    /// </summary>
    private void SeeDrain(Statement statement)
    {
        if (statement.Deed == Deed.Drain && Queue.Heartbeats.ContainsKey(statement.Worker))
            drains.Add(statement.Worker);
        else if (statement.Deed == Deed.Undrain)
            drains.Remove(statement.Worker);
        drains.RemoveWhere(worker => !Queue.Heartbeats.ContainsKey(worker));
        drained.IntersectWith(drains);
    }

    private bool Runs(Guid job, int attempt) => Queue.Find(job) is { State: JobState.Running } row && row.Attempt == attempt;

    private void CheckHandBack(Statement statement)
    {
        foreach (var slot in world.WorkerOf(statement.Worker).Slots)
            Promise(
                !(
                    slot.IsTraining
                    && slot.Attempt is { Stop: null } attempt
                    && (attempt.Id, attempt.Number) == (statement.Job, statement.Attempt)
                ),
                "an attempt that is carried out is not handed back, unless somebody asked for its stop"
            );
    }

    private bool Check(SeenJob before, TwinJob row, Statement statement, bool effect)
    {
        var differs = before.Differs(row);
        if (differs)
        {
            CheckMove(before, row, statement);
            CheckWrites(before, row, statement);
            CheckCounts(before, row, statement);
            CheckWish(before, row);
            CheckRow(row);
            before.Update(row, Simulation.Now);
        }
        if (effect && statement.Job == row.Id)
            before.Note(statement, row);
        CheckRescued(before, row);
        return differs;
    }

    /// <summary>Checks which statement may move a job from which state to which.</summary>
    private void CheckMove(SeenJob before, TwinJob row, Statement statement)
    {
        var named = before.Id == statement.Job;
        var owned = before.State == JobState.Running && before.Worker == statement.Worker;
        var held = named && owned && before.Attempt == statement.Attempt;
        var mayTouch = statement.Deed switch
        {
            Deed.Claim => before.State == JobState.Queued,
            Deed.Rescue or Deed.HandBackAll => owned,
            Deed.Cancel or Deed.Pause or Deed.Resume or Deed.Retry => named,
            _ => held,
        };
        Promise(mayTouch, $"{statement.Deed} does not touch a job that is {before.State} under another's attempt, or none");
        Promise(LeadsTo(statement.Deed).Contains(row.State), $"{statement.Deed} does not lead to {row.State}");
        if (before.State != row.State)
            Promise(JobLifecycle.MovesFrom(before.State).Contains(row.State), $"no job moves from {before.State} to {row.State}");
        if (statement.Deed == Deed.Claim)
        {
            Promise(
                row.SpecRevision <= world.WorkerOf(statement.Worker).KnownRevision,
                "a worker claims only jobs whose revision its build knows"
            );
            Promise(!drained.Contains(statement.Worker), "a worker claims nothing after its drain was answered");
        }
        if (statement.Deed == Deed.Rescue)
            CheckRescue(before, statement);
        if (statement.Deed == Deed.HandBackUnknown)
            CheckUnknown(statement);
        if (row.State == JobState.Running)
            Promise(
                row.WorkerId is not null && row.Attempt == before.Attempt + (statement.Deed == Deed.Claim ? 1 : 0),
                "a claim, and nothing else, begins the next attempt"
            );
        else
            Promise(row.WorkerId is null && row.Attempt == before.Attempt, "only a running job has an owner");
    }

    private static ReadOnlySpan<JobState> LeadsTo(Deed deed) =>
        deed switch
        {
            Deed.Claim or Deed.Start or Deed.Report => [JobState.Running],
            Deed.Succeed => [JobState.Succeeded],
            Deed.Fail => [JobState.Failed, JobState.Cancelled],
            Deed.GiveBack or Deed.Rescue => [JobState.Queued, JobState.Failed, JobState.Paused, JobState.Cancelled],
            Deed.HandBack or Deed.HandBackUnknown or Deed.HandBackAll => [JobState.Queued, JobState.Paused, JobState.Cancelled],
            Deed.Cancel => [JobState.Running, JobState.Cancelled],
            Deed.Pause => [JobState.Running, JobState.Paused],
            Deed.Resume => [JobState.Running, JobState.Queued],
            Deed.Retry => [JobState.Queued],
            _ => [],
        };

    private void CheckRescue(SeenJob before, Statement statement)
    {
        var worker = world.WorkerOf(statement.Worker);
        Promise(!worker.IsAlive || worker.Health.MayLose, "a healthy worker keeps its jobs, whatever happens to the database");
        Promise(
            !lastBeat.TryGetValue(statement.Worker, out var beat) || beat <= statement.Sighting!.SeenAt,
            "a worker that beat since it was seen keeps its jobs"
        );
    }

    private void CheckUnknown(Statement statement)
    {
        var worker = world.WorkerOf(statement.Worker);
        var worksOnIt = worker.Slots.Any(slot =>
            slot.Attempt is { } attempt && (attempt.Id, attempt.Number) == (statement.Job, statement.Attempt)
        );
        Promise(!worksOnIt || worker.Health.MayLose, "a healthy worker keeps the job that it works on");
    }

    /// <summary>
    /// Epochs and checkpoints come only from reports of the attempt that holds the job. A fresh retry removes them.
    /// </summary>
    private void CheckWrites(SeenJob before, TwinJob row, Statement statement)
    {
        if (statement is { Deed: Deed.Retry, Fresh: true })
            Promise(row.Epochs.Count == 0 && row.Checkpoint is null, "a fresh retry begins anew");
        else
        {
            if (row.Checkpoint != before.Checkpoint)
                Promise(
                    statement.Deed == Deed.Report || row is { State: JobState.Succeeded, Checkpoint: null },
                    "a checkpoint comes from a report"
                );
            Promise(row.Epochs.Count >= before.Epochs.Count, "no epoch is lost");
            for (var i = 0; i < row.Epochs.Count; i++)
                if (i >= before.Epochs.Count || row.Epochs[i] != before.Epochs[i])
                    Promise(
                        statement.Deed == Deed.Report && row.Epochs[i].Attempt == statement.Attempt,
                        "an epoch's row is of the attempt that held the job"
                    );
        }
    }

    /// <summary>Only crashes, errors and lost workers count as failures. Every attempt that ended is in the history.</summary>
    private void CheckCounts(SeenJob before, TwinJob row, Statement statement)
    {
        var counted = statement.Deed is Deed.GiveBack or Deed.Fail or Deed.Rescue ? 1 : 0;
        Promise(row.Failures == (statement.Deed == Deed.Retry ? 0 : before.Failures + counted), "a failure, and nothing else, is counted");
        var ended = before.State == JobState.Running && row.State != JobState.Running;
        Promise(row.Attempts.Count == before.AttemptsCount + (ended ? 1 : 0), "an attempt that ends is in the history, once");
    }

    private void CheckWish(SeenJob before, TwinJob row)
    {
        if (before.State != JobState.Running || row.State == JobState.Running)
            return;
        if (before.StopAsked == StopRequest.Cancel)
            Promise(
                row.State is JobState.Cancelled or JobState.Succeeded,
                "a running job that was cancelled ends cancelled, unless it succeeded first"
            );
        if (before.StopAsked == StopRequest.Pause)
            Promise(row.State != JobState.Queued, "a running job that was paused does not run on");
    }

    private void CheckRow(TwinJob row)
    {
        Promise(
            row.Failures <= row.MaxAttempts && (row.State.IsFinal() || row.Failures < row.MaxAttempts),
            "maxAttempts bounds the failures"
        );
        for (var i = 0; i < row.Epochs.Count; i++)
            Promise(row.Epochs[i].Epoch == i + 1, "no epoch is missing or doubled");
        Promise((row.Checkpoint ?? 0) / 2 <= row.Epochs.Count, "no checkpoint is ahead of the epochs stored");
        Promise((row.FinishedAt is not null) == row.State.IsFinal(), "a final state, and no other, has its time");
        Promise(row.StopRequested is null || row.State == JobState.Running, "only a running job is asked to stop");
        if (row.State == JobState.Succeeded)
            Promise(
                row.Epochs.Count == world.EpochsOf[row.Id] && row.Checkpoint is null,
                "a job that succeeded has all its epochs, and no checkpoint"
            );
    }

    private void CheckRescued(SeenJob before, TwinJob row)
    {
        if (!world.FaultSchedule.IsOver || row.State != JobState.Running || world.WorkerOf(row.WorkerId!.Value) is { IsAlive: true })
            return;
        var since = world.FaultSchedule.QuietFrom > before.ClaimedAt ? world.FaultSchedule.QuietFrom : before.ClaimedAt;
        Promise(Simulation.Now < since + RescuedWithin, "a dead worker's job is rescued in time");
    }

    private static void Promise(bool kept, string promise)
    {
        if (!kept)
            throw new ViolationException(promise);
    }

    private void Log(Statement statement, object? answer)
    {
        var about = Queue.Find(statement.Job);
        Simulation.Log(
            $"{World.Name(statement.Worker)} {statement.Deed} "
                + $"{World.Name(statement.Job)}{(statement.Attempt > 0 ? $"#{statement.Attempt}" : "")}{(statement.Fresh ? " fresh" : "")} "
                + $"=> {Told(answer)}"
                + string.Concat(
                    Queue
                        .Jobs.Where(job => job == about || statement.Job == default)
                        .Select(job =>
                            $"; {World.Name(job.Id)}#{job.Attempt} "
                            + $"{job.State}{(job.WorkerId is { } owner ? $" of {World.Name(owner)}" : "")}, {job.Epochs.Count} "
                            + $"epochs, checkpoint {job.Checkpoint}, failures {job.Failures}"
                        )
                )
        );
    }

    private static string Told(object? answer) =>
        answer switch
        {
            bool effect => effect ? "yes" : "no",
            ValueTuple<Guid, int> claimed => $"{World.Name(claimed.Item1)}#{claimed.Item2}",
            IEnumerable<Guid> ids => string.Join(' ', ids.Select(World.Name)),
            IEnumerable<OwnedJob> owned => string.Join(' ', owned.Select(job => $"{World.Name(job.Id)}#{job.Attempt}")),
            null => "nothing",
            _ => answer.ToString()!,
        };
}
