using Temper.Domain.Jobs;
using Temper.Harness.Model;
using Temper.Store.Queue;
using Temper.Worker.Supervisor;

namespace Temper.Unit.Model;

/// <summary>
/// src/Worker/Supervisor in the simulated world: WorkerService and Presence, loop for loop and wait for wait; who is lost is
/// judged by the real <see cref="LostWorkers"/>. What a planted bug changes is virtual.
/// </summary>
internal class SimulatedWorker(World world, Guid id, int slots) : Process(world.Simulation)
{
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    /// <summary>After an answer that did not come.</summary>
    public static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly List<SimulatedSlot> busy = [];

    public Guid Id { get; } = id;

    public World World { get; } = world;

    /// <summary>Of this machine, hours wrong: the protocol must not read it.</summary>
    public TimeSpan ClockError { get; } = world.Simulation.Between(-20_000, 20_000);

    public Session? Session { get; private set; }

    /// <summary>Whether it ever held its lock.</summary>
    public bool WasPresent { get; private set; }

    public Bell Doorbell => doorbell ??= new(this);

    /// <summary>Ends waits that a stop cuts short.</summary>
    public Bell StopBell => stopBell ??= new(this);

    public bool IsStopping { get; private set; }

    /// <summary>The aftermath of the last trouble, and the time in which it may lose its jobs by right: see <see cref="Weather"/>.</summary>
    public TimeSpan TroubledUntil { get; set; }

    public TimeSpan HarmedUntil { get; set; }

    public IReadOnlyList<SimulatedSlot> Slots => busy;

    private Bell? doorbell, stopBell;
    private bool slotsDone, hasLeft;

    public void Start() => _ = RunAsync();

    public void ShutDown()
    {
        IsStopping = true;
        Resume(() =>
        {
            foreach (var slot in busy) slot.Attempt?.AskToStop(StopReason.ShuttingDown);
            Doorbell.Ring();
            StopBell.Ring();
        });
    }

    public override void Kill()
    {
        base.Kill();
        if (Session is { } session) World.Weather.CloseLater(session);
    }

    public Call<T> Ask<T>(Deed deed, Func<TwinQueue, T> statement, (Guid Id, int Attempt) job = default) =>
        new Call<T>(World, this, null, new(deed, Id, job.Id, job.Attempt), statement).Send();

    /// <summary>A notice that came on the presence connection.</summary>
    public void Hear(Session on, Guid? job)
    {
        if (on != Session) return;
        if (job is null) Doorbell.Ring();
        else
            foreach (var slot in busy)
                if (slot.Attempt is { } attempt && attempt.Id == job) attempt.AskToStop(StopReason.Cancelled);
    }

    // Slot.cs

    public virtual async Task<Answer<(Guid Id, int Attempt)?>> ClaimAsync() => await Ask(Deed.Claim, queue => queue.Claim(Id, hasCuda: true));

    // Reports.cs

    /// <returns>False: the job is no longer held.</returns>
    public virtual async Task<bool> StoreAsync(SimulatedAttempt attempt, IReadOnlyList<int> epochs, int? checkpoint) =>
        await UntilAnsweredAsync(Deed.Report, attempt, queue => queue.Report(attempt.Id, attempt.Number, epochs, checkpoint));

    // Patience.cs

    public async Task<T?> UntilAnsweredAsync<T>(Deed deed, SimulatedAttempt attempt, Func<TwinQueue, T> ask)
    {
        while (true)
        {
            var answer = await Ask(deed, ask, (attempt.Id, attempt.Number));
            if (answer.Came) return answer.Value;
            await Delay(RetryDelay);
        }
    }

    // WorkerService.cs

    private async Task RunAsync()
    {
        // One that cannot register ends, and is started again by whoever watches it.
        if (!await BeatAsync())
        {
            Kill();
            Simulation.After(TimeSpan.FromSeconds(1), World.StartWorker);
            return;
        }
        for (var i = 0; i < slots; i++) busy.Add(new(this));
        // Heartbeats go on until the last slot has handed its job back, and presence until nothing is left to lose.
        var (heartbeats, presence) = (KeepBeatingAsync(), StayPresentAsync());
        await Task.WhenAll(busy.Select(slot => slot.RunAsync()));
        slotsDone = true;
        await heartbeats;
        await LeaveAsync();
        hasLeft = true;
        StopBell.Ring();
        await presence;
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
        if (!beat.Came) return false;
        foreach (var job in beat.Value!)
            if (!Knows(attempts, job) && GivesBackUnknown(job)
                && !(await Ask(Deed.HandBackUnknown, queue => queue.HandBack(job.Id, job.Attempt, "its worker never heard that it was its own"), (job.Id, job.Attempt))).Came) return false;
        foreach (var attempt in attempts)
        {
            var held = beat.Value.FirstOrDefault(attempt.Is);
            if (held == default) attempt.AskToStop(StopReason.Lost);
            else if (held.StopRequested is not null) attempt.AskToStop(StopReason.Cancelled);
        }
        return true;
    }

    /// <summary>Asked when the answer is there: a claim may have been answered while the heartbeat was under way.</summary>
    protected virtual bool Knows(List<SimulatedAttempt> before, OwnedJob job) => AttemptsNow().Exists(attempt => attempt.Is(job));

    private List<SimulatedAttempt> AttemptsNow()
    {
        var attempts = new List<SimulatedAttempt>(busy.Count);
        foreach (var slot in busy)
            if (slot.Attempt is { } attempt) attempts.Add(attempt);
        return attempts;
    }

    protected virtual bool GivesBackUnknown(OwnedJob job) => job.IsOld;

    private async Task LeaveAsync()
    {
        if (!(await Ask(Deed.HandBackAll, queue => { queue.HandBackAll(Id); return true; })).Came) return;
        await Ask(Deed.DeleteWorker, queue => { queue.DeleteWorker(Id); return true; });
    }

    // Presence.cs

    protected virtual bool IsPresent => !hasLeft;

    private async Task StayPresentAsync()
    {
        while (IsPresent)
        {
            if (await OpenAsync() is { } session)
            {
                Session = session;
                Doorbell.Ring();
                await HoldAsync(session);
                Session = null;
                if (IsPresent) World.Weather.CloseLater(session);
                else World.Server.Close(session);
            }
            await StopBell.WaitAsync(Tick);
        }
    }

    private async Task<Session?> OpenAsync()
    {
        // To connect is to be answered once.
        var opened = await Ask(Deed.Watch, _ => World.Server.Open(this));
        if (!opened.Came && opened.Value is { } halfOpen) World.Weather.CloseLater(halfOpen);
        return opened.Came ? opened.Value : null;
    }

    private async Task HoldAsync(Session session)
    {
        var (present, watch, forgotten) = (false, NewWatch(), Simulation.Now);
        while (IsPresent)
        {
            if (!present)
            {
                var taken = await AskOn(session, Deed.Lock, _ => World.Server.TryLock(Id, session));
                if (!taken.Came) return;
                WasPresent |= present = taken.Value;
            }
            var sightings = await AskOn(session, Deed.Watch, queue => Watch(queue, session));
            if (!sightings.Came) return;
            foreach (var (lost, reason) in Judge(watch, sightings.Value!))
                if (!(await RescueAsync(lost, reason)).Came) return;
            if (Simulation.Now - forgotten > World.ForgetInterval)
            {
                if (!(await Ask(Deed.Forget, queue => { queue.ForgetDeadWorkers(); return true; })).Came) return;
                forgotten = Simulation.Now;
            }
            await StopBell.WaitAsync(Tick);
        }
    }

    protected virtual LostWorkers NewWatch() => new(Id, World.Lease);

    protected virtual IReadOnlyList<WorkerSighting> Watch(TwinQueue queue, Session session) => queue.Watch(Id, World.Server.IsLocked);

    protected virtual IReadOnlyList<(WorkerSighting Worker, string Reason)> Judge(LostWorkers watch, IReadOnlyList<WorkerSighting> sightings) => watch.Judge(sightings);

    private Call<IReadOnlyList<Guid>> RescueAsync(WorkerSighting lost, string reason) =>
        new Call<IReadOnlyList<Guid>>(World, this, null, new(Deed.Rescue, lost.Worker, Sighting: lost), queue => queue.Rescue(lost, reason)).Send();

    private Call<T> AskOn<T>(Session session, Deed deed, Func<TwinQueue, T> statement) => new Call<T>(World, this, session, new(deed, Id), statement).Send();
}
