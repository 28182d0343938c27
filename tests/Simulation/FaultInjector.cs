namespace Temper.Simulation;

/// <summary>The faults of workers and of the database. Each fault tells <see cref="Health"/> whether it may cost a job.</summary>
internal sealed class FaultInjector(World world)
{
    private readonly Simulation simulation = world.Simulation;
    private readonly Dictionary<Process, TimeSpan> cutUntil = [];

    public Action<SimulatedWorker>[] Kinds =>
        [
            BriefStall,
            LongStall,
            Crash,
            ShutDown,
            DropPresence,
            BriefCut,
            LongCut,
            Restart,
            Outage,
            Flap,
            FullDisk,
            RestartEngine,
            RefuseEngine,
            HandOverAgain,
        ];

    public bool IsCut(Process process) => cutUntil.TryGetValue(process, out var until) && simulation.Now < until;

    public void EndAll()
    {
        cutUntil.Clear();
        world.Server.ComeUp();
        world.Server.IsFull = false;
        world.Server.Engine.Refuse = false;
        foreach (var worker in world.Workers)
            worker.Continue();
    }

    /// <summary>Stops the worker for at least 2 s less than its lease, in half the cases for exactly 2 s less.</summary>
    private void BriefStall(SimulatedWorker worker)
    {
        var longest = world.Lease.TotalSeconds - 2;
        Stall(worker, simulation.Chance(0.5) ? simulation.Between(0.1, longest) : TimeSpan.FromSeconds(longest), worker.Health.Fault);
    }

    /// <summary>
    /// Stops the worker for between 2 s less and 14 s more than its lease, often about as long as the other workers take to act.
    /// </summary>
    private void LongStall(SimulatedWorker worker)
    {
        var lease = world.Lease.TotalSeconds;
        Stall(worker, simulation.Between(lease - 2, lease + (simulation.Chance(0.5) ? 4 : 14)), worker.Health.Harm);
    }

    private void Stall(SimulatedWorker worker, TimeSpan time, Action<TimeSpan> suffer)
    {
        if (worker.IsStopped)
            return;
        Log($"{worker} is stopped for {time.TotalSeconds:F1} s");
        suffer(time);
        worker.Stop();
        simulation.After(time, worker.Continue);
    }

    private void Crash(SimulatedWorker worker)
    {
        Log($"{worker} is killed");
        worker.Kill();
        MaybeStartAnother();
    }

    private void ShutDown(SimulatedWorker worker)
    {
        Log($"{worker} is told to stop");
        worker.ShutDown();
        MaybeStartAnother();
    }

    private void MaybeStartAnother()
    {
        if (simulation.Chance(0.7))
            simulation.After(simulation.Between(0.1, 5), world.StartWorker);
    }

    /// <summary>Either the server or the worker ends the connection.</summary>
    private void DropPresence(SimulatedWorker worker)
    {
        if (worker.Session is not { } session)
            return;
        Log($"{worker} loses its presence connection");
        worker.Health.Fault(TimeSpan.FromSeconds(1));
        if (simulation.Chance(0.5))
            world.Server.Close(session);
        else
            Break(session);
    }

    /// <summary>
    /// Breaks the client's end of the connection. The server keeps the session's lock until its keepalive notices, within about 8
    /// s.
    /// </summary>
    public void Break(Session session)
    {
        session.IsBroken = true;
        if (!session.IsOpen)
            return;
        var time = simulation.Chance(0.5) ? TimeSpan.Zero : simulation.Between(0, 8);
        session.Worker.Health.Note(time);
        simulation.After(time, () => world.Server.Close(session));
    }

    private void BriefCut(SimulatedWorker worker) => Cut(worker, simulation.Between(0.1, 1), worker.Health.Fault);

    private void LongCut(SimulatedWorker worker) => Cut(worker, simulation.Between(1, 12), worker.Health.Harm);

    private void Cut(SimulatedWorker worker, TimeSpan time, Action<TimeSpan> suffer)
    {
        Log($"{worker} is cut off for {time.TotalSeconds:F1} s");
        suffer(time);
        cutUntil[worker] = simulation.Now + time;
        if (worker.Session is { } session)
            Break(session);
    }

    private void Restart(SimulatedWorker _) => TakeDown(simulation.Between(0.1, 1));

    private void Outage(SimulatedWorker _) => TakeDown(simulation.Between(1, 12));

    /// <summary>Restarts the database, then takes it down again before every client has reconnected.</summary>
    private void Flap(SimulatedWorker worker)
    {
        Restart(worker);
        simulation.After(simulation.Between(1, 3), () => Outage(worker));
    }

    private void TakeDown(TimeSpan time)
    {
        if (!world.Server.IsUp || world.FaultSchedule.IsOver)
            return;
        Log($"the database goes down for {time.TotalSeconds:F1} s");
        foreach (var worker in world.Workers)
            worker.Health.FaultOfAll(time, isSecond: world.Server.WasFullUntil > simulation.Now);
        world.Server.FaultUntil = simulation.Now + time + Health.Aftermath;
        world.Server.GoDown();
        simulation.After(
            time,
            () =>
            {
                if (world.Server.IsUp)
                    return;
                world.Server.ComeUp();
                Log($"the database is up");
            }
        );
    }

    /// <summary>The server answers reads and refuses writes.</summary>
    private void FullDisk(SimulatedWorker _)
    {
        if (world.Server.IsFull || world.FaultSchedule.IsOver)
            return;
        var time = simulation.Between(0.5, 12);
        Log($"the disk is full for {time.TotalSeconds:F1} s");
        foreach (var worker in world.Workers)
            worker.Health.FaultOfAll(time, isSecond: world.Server.HasFault);
        world.Server.FaultUntil = world.Server.WasFullUntil = simulation.Now + time + Health.Aftermath;
        world.Server.IsFull = true;
        simulation.After(time, () => world.Server.IsFull = false);
    }

    /// <summary>Hangfire considers its server dead and starts another in the same process.</summary>
    private void RestartEngine(SimulatedWorker worker)
    {
        Log($"Hangfire restarts its server on {worker}");
        worker.Resume(worker.Engine.Restart);
    }

    /// <summary>Hangfire's tables are locked or refuse writes; the jobs table works.</summary>
    private void RefuseEngine(SimulatedWorker _)
    {
        if (world.Server.Engine.Refuse || world.FaultSchedule.IsOver)
            return;
        var time = simulation.Between(0.5, 20);
        Log($"Hangfire's tables refuse for {time.TotalSeconds:F1} s");
        world.Server.Engine.Refuse = true;
        simulation.After(time, () => world.Server.Engine.Refuse = false);
    }

    /// <summary>An operator makes Hangfire run its jobs again, on the same or another worker.</summary>
    private void HandOverAgain(SimulatedWorker worker)
    {
        foreach (
            var (job, attempt) in world
                .Workers.SelectMany(one => one.Engine.Fetched)
                .Select(attempt => (attempt.Id, attempt.Number))
                .ToArray()
        )
            worker.Resume(() => worker.Engine.HandOverAgain(job, attempt));
    }

    private void Log(FormattableString what)
    {
        if (simulation.IsLogged)
            simulation.Log(FormattableString.Invariant(what));
    }
}
