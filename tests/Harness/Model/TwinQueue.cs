using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Harness.Model;

/// <summary>
/// The rules of src/Store/Queue in memory, with one method for each SQL statement, so that a reader can compare them. The
/// integration tests run the same operations on both and compare every answer and every row. Operations are virtual so that a
/// test can plant a bug in one.
/// </summary>
/// <param name="clock">The database's clock.</param>
/// <param name="random">Uniform in [0, 1); spreads the backoff.</param>
public class TwinQueue(Func<DateTimeOffset> clock, Func<double> random)
{
    private readonly List<TwinJob> jobs = [];
    private readonly Dictionary<Guid, DateTimeOffset> heartbeats = [];
    private readonly HashSet<Guid> draining = [];
    private long sequence;

    /// <summary>In order of submission.</summary>
    public IReadOnlyList<TwinJob> Jobs => jobs;

    /// <summary>Rows of `workers`: the last heartbeat of each worker.</summary>
    public IReadOnlyDictionary<Guid, DateTimeOffset> Heartbeats => heartbeats;

    /// <summary>How long a worker must be silent and without a job before its row is removed.</summary>
    public TimeSpan ForgottenAfter { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Stands for pg_notify: null says that a job may be waiting; otherwise the value names the running job that is to stop, and
    /// how.
    /// </summary>
    public Action<(Guid Job, StopRequest Request)?> Notify { get; set; } = _ => { };

    protected DateTimeOffset Now => clock();

    public TwinJob? Find(Guid id)
    {
        foreach (var job in jobs)
            if (job.Id == id)
                return job;
        return null;
    }

    // Submit.cs

    public void Submit(Guid id, int maxAttempts, int priority = 0, bool needsCuda = false, int revision = 1)
    {
        jobs.Add(
            new()
            {
                Id = id,
                Sequence = ++sequence,
                MaxAttempts = maxAttempts,
                Priority = priority,
                NeedsCuda = needsCuda,
                SpecRevision = revision,
                RunAt = Now,
            }
        );
        Notify(null);
    }

    // Claim.cs

    public virtual (Guid Id, int Attempt)? Claim(Guid worker, bool hasCuda, int knownRevision)
    {
        if (!MayClaim(worker) || FirstWaiting(hasCuda, knownRevision) is not { } job)
            return null;
        (job.State, job.Attempt, job.WorkerId, job.ClaimedAt) = (JobState.Running, NextAttempt(job), worker, Now);
        (job.TrainingStartedAt, job.Reason) = (null, null);
        return (job.Id, job.Attempt);
    }

    protected virtual bool MayClaim(Guid worker) => heartbeats.ContainsKey(worker) && !draining.Contains(worker);

    private TwinJob? FirstWaiting(bool hasCuda, int knownRevision)
    {
        TwinJob? first = null;
        foreach (var job in jobs)
            if (
                job.State == JobState.Queued
                && job.RunAt <= Now
                && (hasCuda || !job.NeedsCuda)
                && Knows(knownRevision, job)
                && (first is null || job.Priority > first.Priority)
            )
                first = job;
        return first;
    }

    protected virtual bool Knows(int knownRevision, TwinJob job) => job.SpecRevision <= knownRevision;

    protected virtual int NextAttempt(TwinJob job) => job.Attempt + 1;

    // Heartbeat.cs

    /// <returns>The worker's running jobs, and whether each was claimed over 10 s ago.</returns>
    public virtual IReadOnlyList<OwnedJob> Beat(Guid worker)
    {
        heartbeats[worker] = Now;
        var owned = new List<OwnedJob>();
        foreach (var job in jobs)
            if (job.WorkerId == worker)
                owned.Add(new(job.Id, job.Attempt, job.StopRequested, job.ClaimedAt < Now - TimeSpan.FromSeconds(10)));
        return owned;
    }

    /// <summary>
    /// All of HeartbeatAsync: the heartbeat, then one statement for each job that the worker does not know of, which hands that
    /// job back.
    /// </summary>
    public IReadOnlyDictionary<(Guid Id, int Attempt), StopRequest?> Heartbeat(Guid worker, IReadOnlyCollection<(Guid, int)> known)
    {
        var (held, unknown) = (new Dictionary<(Guid, int), StopRequest?>(), new List<OwnedJob>());
        foreach (var job in Beat(worker))
            if (known.Contains((job.Id, job.Attempt)))
                held[(job.Id, job.Attempt)] = job.StopRequested;
            else if (job.IsOld)
                unknown.Add(job);
        foreach (var job in unknown)
            HandBack(job.Id, job.Attempt, "its worker never heard that it was its own");
        return held;
    }

    // Report.cs

    public bool ReportTrainingStarted(Guid id, int attempt)
    {
        if (Held(id, attempt) is not { } job)
            return false;
        job.TrainingStartedAt = Now;
        return true;
    }

    public virtual bool Report(Guid id, int attempt, IReadOnlyList<int> epochs, int? checkpoint)
    {
        if (Held(id, attempt) is not { } job)
            return false;
        job.Checkpoint = checkpoint ?? job.Checkpoint;
        foreach (var epoch in epochs)
            Store(job, epoch, job.Attempt);
        return true;
    }

    /// <summary>Behaves as INSERT … ON CONFLICT (job_id, epoch) DO UPDATE.</summary>
    protected virtual void Store(TwinJob job, int epoch, int attempt)
    {
        var place = 0;
        while (place < job.Epochs.Count && job.Epochs[place].Epoch < epoch)
            place++;
        if (place < job.Epochs.Count && job.Epochs[place].Epoch == epoch)
            job.Epochs[place] = (epoch, attempt);
        else
            job.Epochs.Insert(place, (epoch, attempt));
    }

    public int? ReadCheckpoint(Guid id) => Find(id)?.Checkpoint;

    // Finish.cs

    public virtual bool Succeed(Guid id, int attempt)
    {
        if (Held(id, attempt) is not { } job)
            return false;
        End(job, JobState.Succeeded, AttemptOutcome.Succeeded, counted: 0, delaySeconds: 0, reason: null);
        job.Checkpoint = null;
        return true;
    }

    public bool Fail(Guid id, int attempt, string reason)
    {
        if (Held(id, attempt) is not { } job)
            return false;
        var next = job.StopRequested == StopRequest.Cancel ? JobState.Cancelled : JobState.Failed;
        End(job, next, AttemptOutcome.Failed, counted: 1, delaySeconds: 0, reason);
        return true;
    }

    // GiveBack.cs

    public virtual bool HandBack(Guid id, int attempt, string reason)
    {
        if (Held(id, attempt) is not { } job)
            return false;
        EndStopped(job, reason);
        return true;
    }

    public virtual bool GiveBack(Guid id, int attempt, string reason)
    {
        if (Held(id, attempt) is not { } job)
            return false;
        End(job, AfterFailure(job), AttemptOutcome.Failed, counted: 1, Backoff(job), reason);
        return true;
    }

    protected virtual void EndStopped(TwinJob job, string reason)
    {
        var next = AfterStop(job);
        var outcome = next switch
        {
            JobState.Cancelled => AttemptOutcome.Cancelled,
            JobState.Paused => AttemptOutcome.Paused,
            _ => AttemptOutcome.HandedBack,
        };
        End(job, next, outcome, counted: 0, delaySeconds: 0, reason);
    }

    // Rescue.cs

    /// <param name="isLocked">Whether a worker's presence lock is held.</param>
    public IReadOnlyList<WorkerSighting> Watch(Guid watcher, Func<Guid, bool> isLocked)
    {
        var sightings = new List<WorkerSighting>();
        foreach (var (worker, heartbeatAt) in heartbeats)
            if (worker == watcher || Owns(worker))
                sightings.Add(new(worker, isLocked(worker), heartbeatAt, Now));
        return sightings;
    }

    public virtual IReadOnlyList<Guid> Rescue(WorkerSighting lost, string reason) =>
        heartbeats.TryGetValue(lost.Worker, out var heartbeatAt) && heartbeatAt == lost.HeartbeatAt ? EndLost(lost.Worker, reason) : [];

    protected virtual IReadOnlyList<Guid> EndLost(Guid worker, string reason)
    {
        var rescued = new List<Guid>();
        foreach (var job in jobs)
            if (job.WorkerId == worker)
            {
                End(job, AfterFailure(job), AttemptOutcome.Lost, counted: 1, BackoffAfterLoss(job), reason);
                rescued.Add(job.Id);
            }
        return rescued;
    }

    // Leave.cs

    /// <summary>The first of LeaveAsync's two statements.</summary>
    public void HandBackAll(Guid worker)
    {
        foreach (var job in jobs)
            if (job.WorkerId == worker)
                EndStopped(job, "its worker shut down");
    }

    /// <summary>The second of LeaveAsync's two statements.</summary>
    /// <exception cref="ForeignKeyException">The worker owns a job.</exception>
    public void DeleteWorker(Guid worker)
    {
        if (Owns(worker))
            throw new ForeignKeyException("fk_jobs_worker");
        RemoveRow(worker);
    }

    public void ForgetDeadWorkers()
    {
        List<Guid>? dead = null;
        foreach (var (worker, heartbeatAt) in heartbeats)
            if (heartbeatAt < Now - ForgottenAfter && !Owns(worker))
                (dead ??= []).Add(worker);
        if (dead is not null)
            foreach (var worker in dead)
                RemoveRow(worker);
    }

    private void RemoveRow(Guid worker)
    {
        heartbeats.Remove(worker);
        draining.Remove(worker);
    }

    // Drain.cs

    public bool DrainWorker(Guid worker)
    {
        if (!heartbeats.ContainsKey(worker))
            return false;
        draining.Add(worker);
        return true;
    }

    public bool ResumeWorker(Guid worker)
    {
        if (!heartbeats.ContainsKey(worker))
            return false;
        draining.Remove(worker);
        Notify(null);
        return true;
    }

    // Cancel.cs, Pause.cs, Retry.cs, Delete.cs

    public virtual bool Cancel(Guid id)
    {
        if (Find(id) is not { State: JobState.Queued or JobState.Running or JobState.Paused } job)
            return false;
        if (job.State == JobState.Running)
        {
            job.StopRequested = StopRequest.Cancel;
            Notify((id, StopRequest.Cancel));
            return true;
        }
        (job.Reason, job.State, job.FinishedAt) = ($"cancelled while {Word(job.State)}", JobState.Cancelled, Now);
        return true;
    }

    public virtual bool Pause(Guid id)
    {
        if (Find(id) is not { } job || !(job.State == JobState.Queued || (job.State == JobState.Running && job.StopRequested is null)))
            return false;
        if (job.State == JobState.Running)
        {
            job.StopRequested = StopRequest.Pause;
            Notify((id, StopRequest.Pause));
            return true;
        }
        (job.Reason, job.State) = ("paused while queued", JobState.Paused);
        return true;
    }

    public bool Resume(Guid id)
    {
        if (
            Find(id) is not { } job
            || !(job.State == JobState.Paused || (job.State == JobState.Running && job.StopRequested == StopRequest.Pause))
        )
            return false;
        if (job.State == JobState.Paused)
        {
            (job.State, job.Reason) = (JobState.Queued, null);
            Notify(null);
        }
        (job.StopRequested, job.RunAt) = (null, Now);
        return true;
    }

    public virtual bool Retry(Guid id, bool fresh)
    {
        if (Find(id) is not { State: JobState.Failed or JobState.Cancelled } job)
            return false;
        (job.State, job.Failures, job.FinishedAt, job.Reason, job.RunAt) = (JobState.Queued, 0, null, null, Now);
        Notify(null);
        if (!fresh)
            return true;
        job.Epochs.Clear();
        job.Checkpoint = null;
        return true;
    }

    public virtual bool Delete(Guid id) => Find(id) is { } job && job.State != JobState.Running && jobs.Remove(job);

    // End.cs

    /// <summary>The fence of every write by a worker.</summary>
    protected virtual TwinJob? Held(Guid id, int attempt) =>
        Find(id) is { State: JobState.Running } job && job.Attempt == attempt ? job : null;

    protected virtual JobState AfterFailure(TwinJob job) =>
        job.StopRequested == StopRequest.Cancel ? JobState.Cancelled
        : job.Failures + 1 >= job.MaxAttempts ? JobState.Failed
        : job.StopRequested == StopRequest.Pause ? JobState.Paused
        : JobState.Queued;

    private static JobState AfterStop(TwinJob job) =>
        job.StopRequested switch
        {
            StopRequest.Cancel => JobState.Cancelled,
            StopRequest.Pause => JobState.Paused,
            _ => JobState.Queued,
        };

    private double Backoff(TwinJob job) => Math.Min(Math.Pow(2, job.Failures), 60) * (0.75 + random() / 2);

    private double BackoffAfterLoss(TwinJob job) => Math.Min(Math.Pow(2, job.Failures) - 1, 60) * (0.75 + random() / 2);

    protected void End(TwinJob job, JobState next, AttemptOutcome outcome, int counted, double delaySeconds, string? reason)
    {
        job.Attempts.Add((job.Attempt, outcome));
        job.State = next;
        job.Failures += counted;
        job.RunAt = Now + TimeSpan.FromSeconds(delaySeconds);
        job.FinishedAt = next.IsFinal() ? Now : null;
        job.Reason = next is JobState.Cancelled or JobState.Paused ? $"{Word(next)} while running" : reason;
        (job.WorkerId, job.StopRequested) = (null, null);
        if (next == JobState.Queued)
            Notify(null);
    }

    private bool Owns(Guid worker)
    {
        foreach (var job in jobs)
            if (job.WorkerId == worker)
                return true;
        return false;
    }

    private static string Word(JobState state) => state.ToString().ToLowerInvariant();
}

/// <summary>A running job as a heartbeat reads it for the worker that owns it.</summary>
/// <param name="IsOld">Whether the claim is old enough that its answer must have arrived.</param>
public readonly record struct OwnedJob(Guid Id, int Attempt, StopRequest? StopRequested, bool IsOld);

/// <summary>Thrown where PostgreSQL would refuse the statement because of a foreign key.</summary>
public sealed class ForeignKeyException(string constraint) : Exception(constraint);
