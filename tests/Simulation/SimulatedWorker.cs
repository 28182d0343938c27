using Temper.Domain.Jobs;
using Temper.Harness.Model;
using Temper.Store.Queue;
using Temper.Worker.Slots;
using Temper.Worker.Supervisor;

namespace Temper.Simulation;

/// <summary>
/// src/Worker in the simulated world, with the same loops and waits. This class is WorkerService.cs; Engine, Presence, Slot and
/// Reports have classes of their own. The real <see cref="LostWorkers"/> decides which workers are lost. A planted bug overrides
/// a method.
/// </summary>
internal class SimulatedWorker : Process
{
    public static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1);

    private readonly SimulatedPresence presence;
    private readonly SimulatedEngine engine;
    private bool slotsDone,
        hasLeft;

    public SimulatedWorker(World world, Guid id, int slots)
        : base(world.Simulation)
    {
        (World, Id, Health, Notifier, StopSignal) = (world, id, new(world), new(this), new(this));
        ClockError = Simulation.Between(-20_000, 20_000);
        presence = new(this);
        Slots = [.. Enumerable.Range(0, slots).Select(_ => new SimulatedSlot(this))];
        engine = new(this);
    }

    public World World { get; }

    public Guid Id { get; }

    public Health Health { get; }

    /// <summary>The latest revision of specs that its build knows. Every second worker is of an older build.</summary>
    public int KnownRevision => World.NumberOf(Id) % 2 == 0 ? World.LatestRevision - 1 : World.LatestRevision;

    /// <summary>The error of this machine's clock, up to hours. The protocol must not read that clock.</summary>
    public TimeSpan ClockError { get; }

    public IReadOnlyList<SimulatedSlot> Slots { get; }

    public Session? Session => presence.Session;

    public SimulatedEngine Engine => engine;

    /// <summary>Wakes slots that wait for work.</summary>
    public Signal Notifier { get; }

    /// <summary>Ends the waits that a stop cuts short.</summary>
    public Signal StopSignal { get; }

    public bool IsStopping { get; private set; }

    public void Start() => _ = RunAsync();

    public void ShutDown()
    {
        IsStopping = true;
        Resume(() =>
        {
            foreach (var slot in Slots)
                slot.Attempt?.AskToStop(StopReason.ShuttingDown);
            Notifier.Raise();
            StopSignal.Raise();
        });
    }

    public override void Kill()
    {
        base.Kill();
        if (Session is { } session)
            World.FaultInjector.Break(session);
    }

    /// <summary>Handles a notification from the presence connection.</summary>
    public void Hear(Session on, (Guid Job, StopRequest Request)? stop)
    {
        if (on != Session)
            return;
        if (stop is null)
            Notifier.RaiseOne();
        else
            foreach (var slot in Slots)
                if (slot.Attempt is { } attempt && attempt.Id == stop.Value.Job)
                    attempt.AskToStop(Reason(stop.Value.Request));
    }

    public override string ToString() => World.Name(Id);

    private async Task RunAsync()
    {
        while (!await BeatAsync())
            await Delay(RetryDelay);
        // The worker sends heartbeats until the last slot has handed its job back, and stays present until it has no job left to
        // lose.
        var (beating, present) = (KeepBeatingAsync(), presence.RunAsync());
        await engine.RunAsync();
        slotsDone = true;
        await beating;
        await LeaveAsync();
        hasLeft = true;
        StopSignal.Raise();
        await present;
        Kill();
    }

    private async Task KeepBeatingAsync()
    {
        var next = Simulation.Now + HeartbeatInterval;
        while (!slotsDone)
        {
            await Delay(next - Simulation.Now);
            await BeatAsync();
            next = next + HeartbeatInterval > Simulation.Now ? next + HeartbeatInterval : Simulation.Now;
        }
    }

    private async Task<bool> BeatAsync()
    {
        var attempts = AttemptsNow();
        var beat = await Ask(Deed.Beat, queue => queue.Beat(Id));
        if (!beat.Came)
            return false;
        foreach (var job in beat.Value!)
            if (!Knows(attempts, job) && GivesBackUnknown(job) && !(await HandBackUnknownAsync(job)).Came)
                return false;
        foreach (var attempt in attempts)
        {
            var held = beat.Value.FirstOrDefault(attempt.Is);
            if (held == default)
                attempt.AskToStop(StopReason.Lost);
            else if (held.StopRequested is { } request)
                attempt.AskToStop(Reason(request));
        }
        return true;
    }

    private static StopReason Reason(StopRequest request) => request == StopRequest.Pause ? StopReason.Paused : StopReason.Cancelled;

    private List<SimulatedAttempt> AttemptsNow()
    {
        var attempts = new List<SimulatedAttempt>(Slots.Count);
        foreach (var slot in Slots)
            if (slot.Attempt is { } attempt)
                attempts.Add(attempt);
        return attempts;
    }

    private Call<bool> HandBackUnknownAsync(OwnedJob job) =>
        Ask(
            Deed.HandBackUnknown,
            queue => queue.HandBack(job.Id, job.Attempt, "its worker never heard that it was its own"),
            (job.Id, job.Attempt)
        );

    private async Task LeaveAsync()
    {
        if ((await Ask(Deed.HandBackAll, queue => queue.HandBackAll(Id))).Came)
            await Ask(Deed.DeleteWorker, queue => queue.DeleteWorker(Id));
    }

    // Statements to the database

    public Call<T> Ask<T>(Deed deed, Func<TwinQueue, T> statement, (Guid Id, int Attempt) job = default, Session? session = null) =>
        new Call<T>(World, this, session, new(deed, Id, job.Id, job.Attempt), statement).Send();

    public Call<bool> Ask(Deed deed, Action<TwinQueue> statement) =>
        Ask(
            deed,
            queue =>
            {
                statement(queue);
                return true;
            }
        );

    /// <summary>Simulates DatabaseRetry.cs: sends the statement again until an answer comes.</summary>
    public async Task<T?> UntilAnsweredAsync<T>(Deed deed, SimulatedAttempt attempt, Func<TwinQueue, T> statement)
    {
        while (true)
        {
            var answer = await Ask(deed, statement, (attempt.Id, attempt.Number));
            if (answer.Came)
                return answer.Value;
            await Delay(RetryDelay);
        }
    }

    // Rules that a planted bug changes

    public virtual bool StaysPresent => !hasLeft;

    public virtual LostWorkers NewWatch() => new(Id, World.Lease);

    public virtual IReadOnlyList<WorkerSighting> Watch(TwinQueue queue, Session session) => queue.Watch(Id, World.Server.IsLocked);

    public virtual IReadOnlyList<(WorkerSighting Worker, string Reason)> Judge(
        LostWorkers watch,
        IReadOnlyList<WorkerSighting> sightings
    ) => watch.Judge(sightings);

    public virtual async Task<Answer<(Guid Id, int Attempt)?>> ClaimAsync() =>
        await Ask(Deed.Claim, queue => queue.Claim(Id, hasCuda: true, KnownRevision));

    /// <returns>Null when no answer came.</returns>
    public virtual async Task<bool?> ReportAsync(SimulatedAttempt attempt, IReadOnlyList<int> epochs, int? checkpoint) =>
        await Ask(Deed.Report, queue => queue.Report(attempt.Id, attempt.Number, epochs, checkpoint), (attempt.Id, attempt.Number))
            is { Came: true } stored
            ? stored.Value
            : null;

    /// <summary>
    /// Called when Hangfire has started another server in this process, beside the claims that the old server's threads fetched.
    /// </summary>
    public virtual void RestartedServer(IReadOnlyList<SimulatedFetch> fetched) { }

    /// <summary>Whether the engine may begin the claim; false if it began or ended the claim before.</summary>
    public virtual bool Begins(SimulatedFetch fetch) => !fetch.IsBegun;

    /// <summary>Whether the worker hands the claim back after Hangfire has disposed of it.</summary>
    public virtual bool GoesBack(SimulatedFetch fetch) => !fetch.IsBegun;

    /// <summary>Whether the disposal frees the slot; by default the thread that began the attempt frees it.</summary>
    public virtual bool FreesSlotAtDisposal => false;

    /// <summary>Whether an attempt that Hangfire records as running is over.</summary>
    public virtual bool IsOver(TwinQueue queue, Guid job, int attempt) =>
        queue.Find(job) is not { State: JobState.Running } row || row.Attempt != attempt;

    protected virtual bool GivesBackUnknown(OwnedJob job) => job.IsOld;

    /// <summary>Reads the current attempts again after the heartbeat: the answer to a claim may have come meanwhile.</summary>
    protected virtual bool Knows(List<SimulatedAttempt> before, OwnedJob job) =>
        before.Exists(attempt => attempt.Is(job)) || AttemptsNow().Exists(attempt => attempt.Is(job));
}
