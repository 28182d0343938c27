namespace Temper.Unit.Model;

/// <summary>
/// What goes wrong, and how often: drawn for each schedule anew, so that some see nothing but restarts of the database, and
/// some everything at once. It also remembers who was hit hard enough to lose a job by right.
/// </summary>
internal sealed class Weather
{
    /// <summary>How long a trouble is felt: a second one meanwhile may cost a worker its job. One at a time is promised to cost nothing.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(4);

    private static readonly Fate Prompt = new(0.001, 0.001, double.PositiveInfinity);

    private readonly World world;
    private readonly Simulation simulation;
    private readonly Action<SimulatedWorker>[] troubles;
    private readonly double meanGapSeconds, loss, slowness, lateness, tardiness, spite, company;
    private readonly Dictionary<Process, TimeSpan> cutUntil = [];
    private readonly TimeSpan clearAt;
    private TimeSpan outageAftermath, fullAftermath, lastArrival;

    public Weather(World world)
    {
        (this.world, simulation) = (world, world.Simulation);
        var random = simulation.Random;
        loss = Draw(0.15);
        slowness = Draw(0.2);
        lateness = Draw(0.15);
        tardiness = Draw(0.02);
        spite = Draw(0.2);
        company = Draw(0.6);
        RunnerFailures = Draw(0.1);
        meanGapSeconds = random.NextDouble(0.5, 12);
        // Most often two kinds at a time: it is pairs that are surprising.
        Action<SimulatedWorker>[] kinds = [BriefStall, LongStall, Crash, DropPresence, BriefCut, LongCut, Restart, Outage, Flap, FullDisk, ShutDown];
        random.Shuffle<Action<SimulatedWorker>>(kinds);
        troubles = kinds[..(random.NextInt32(8) switch { 0 => 0, 1 => 1, < 6 => 2, 6 => 3, _ => kinds.Length })];
        clearAt = simulation.Between(3, 25);

        // Most schedules know nothing of it.
        double Draw(double most) => random.NextInt32(4) > 0 ? 0 : random.NextDouble() * most;
    }

    public bool IsClear { get; private set; }

    /// <summary>How often a runner crashes, at each half epoch.</summary>
    public double RunnerFailures { get; private set; }

    /// <summary>When it is clear, and every message that was sent before has arrived.</summary>
    public TimeSpan QuietFrom => Later(clearAt, lastArrival);

    public bool NothingIsUnderWay => simulation.Now >= lastArrival;

    public void Begin()
    {
        simulation.After(clearAt, Clear);
        if (troubles.Length > 0) simulation.After(NextGap(), Trouble);
    }

    public bool IsCut(Process process) => cutUntil.TryGetValue(process, out var until) && simulation.Now < until;

    public Fate FateOf(Process caller)
    {
        if (IsClear) return Prompt;
        var kind = simulation.Random.NextDouble();
        if ((kind -= loss) < 0)
        {
            Mild(caller, TimeSpan.FromSeconds(1));
            // The request is lost, or its answer.
            return new(simulation.Chance(0.5) ? double.PositiveInfinity : 0.001, double.PositiveInfinity, simulation.Random.NextDouble(0.01, 1));
        }
        if ((kind -= slowness) < 0) return new(simulation.Random.NextDouble(0, 0.5), simulation.Random.NextDouble(0, 0.5), double.PositiveInfinity);
        if ((kind -= lateness) < 0)
        {
            Mild(caller, TimeSpan.FromSeconds(1));
            return new(Late(8), double.PositiveInfinity, simulation.Random.NextDouble(0.01, 1));
        }
        if ((kind -= tardiness) < 0)
        {
            Harm(caller, TimeSpan.FromSeconds(30));
            var there = Late(15);
            return new(there, Late(15, from: there), double.PositiveInfinity);
        }
        return new(simulation.Random.NextDouble(0, 0.005), simulation.Random.NextDouble(0, 0.005), double.PositiveInfinity);
    }

    /// <summary>Trouble comes at any time, and where it hurts most: when a change is committed and its sender does not know yet.</summary>
    public void AfterChange(Process sender)
    {
        if (troubles.Length > 0 && sender is SimulatedWorker worker && simulation.Chance(spite)) Strike(worker);
    }

    /// <summary>Whether a worker that is alive may lose its jobs: it was cut off or stopped for long, or hit twice in a row.</summary>
    public bool MayLose(SimulatedWorker worker) => worker.HarmedUntil > simulation.Now;

    private void Trouble()
    {
        if (IsClear) return;
        if (AnyWorker() is { } worker) Strike(worker);
        simulation.After(NextGap(), Trouble);
    }

    /// <summary>It seldom comes alone.</summary>
    private void Strike(SimulatedWorker worker)
    {
        if (IsClear || !worker.IsAlive) return;
        troubles[simulation.Random.NextInt32(troubles.Length)](worker);
        if (simulation.Chance(company)) simulation.After(simulation.Between(0, 4), () => Strike(worker));
    }

    private void Clear()
    {
        IsClear = true;
        RunnerFailures = 0;
        cutUntil.Clear();
        if (!world.Server.IsUp) world.Server.ComeUp();
        world.Server.IsFull = false;
        foreach (var worker in world.Workers) worker.Continue();
        if (!world.Workers.Any(worker => worker.IsAlive && !worker.IsStopping)) world.StartWorker();
        simulation.Log("the weather clears");
    }

    // Troubles

    /// <summary>Within its lease, often only just.</summary>
    private void BriefStall(SimulatedWorker worker) => Stall(worker, simulation.Chance(0.5) ? simulation.Between(0.1, Longest(2)) : TimeSpan.FromSeconds(Longest(2)), Mild);

    /// <summary>Beyond it, often about as long as it takes the others to act.</summary>
    private void LongStall(SimulatedWorker worker) => Stall(worker, simulation.Between(Longest(2), simulation.Chance(0.5) ? Longest(-4) : Longest(-14)), Harm);

    private double Longest(double reserve) => world.Lease.TotalSeconds - reserve;

    private void Stall(SimulatedWorker worker, TimeSpan time, Action<Process, TimeSpan> judge)
    {
        if (worker.IsStopped) return;
        Log(worker, $"is stopped for {time.TotalSeconds:F1} s");
        judge(worker, time);
        worker.Stop();
        simulation.After(time, worker.Continue);
    }

    private void Crash(SimulatedWorker worker)
    {
        Log(worker, "is killed");
        worker.Kill();
        if (simulation.Chance(0.7)) simulation.After(simulation.Between(0.1, 5), world.StartWorker);
    }

    private void ShutDown(SimulatedWorker worker)
    {
        Log(worker, "is told to stop");
        worker.ShutDown();
        if (simulation.Chance(0.7)) simulation.After(simulation.Between(0.1, 5), world.StartWorker);
    }

    /// <summary>By the server's end, or by the worker's: then the server holds the lock on until it notices.</summary>
    private void DropPresence(SimulatedWorker worker)
    {
        if (worker.Session is not { } session) return;
        Log(worker, "loses its presence connection");
        Mild(worker, TimeSpan.FromSeconds(1));
        if (simulation.Chance(0.5)) world.Server.Close(session);
        else CloseLater(session);
    }

    private void BriefCut(SimulatedWorker worker) => Cut(worker, simulation.Between(0.1, 1), Mild);

    private void LongCut(SimulatedWorker worker) => Cut(worker, simulation.Between(1, 12), Harm);

    private void Cut(SimulatedWorker worker, TimeSpan time, Action<Process, TimeSpan> judge)
    {
        Log(worker, $"is cut off for {time.TotalSeconds:F1} s");
        judge(worker, time);
        cutUntil[worker] = simulation.Now + time;
        if (worker.Session is { } session) CloseLater(session);
    }

    private void Restart(SimulatedWorker _) => TakeDown(simulation.Between(0.1, 1));

    private void Outage(SimulatedWorker _) => TakeDown(simulation.Between(1, 12));

    /// <summary>It comes up, and goes down again before everybody is back.</summary>
    private void Flap(SimulatedWorker worker)
    {
        Restart(worker);
        simulation.After(simulation.Between(1, 3), () => Outage(worker));
    }

    private void TakeDown(TimeSpan time)
    {
        if (!world.Server.IsUp || IsClear) return;
        if (simulation.IsLogged) simulation.Log($"the database goes down for {time.TotalSeconds:F1} s");
        HitEverybody(time, isSecond: fullAftermath > simulation.Now);
        world.Server.GoDown();
        simulation.After(time, () =>
        {
            if (world.Server.IsUp) return;
            world.Server.ComeUp();
            simulation.Log("the database is up");
        });
    }

    private void FullDisk(SimulatedWorker _)
    {
        if (world.Server.IsFull || IsClear) return;
        var time = simulation.Between(0.5, 12);
        if (simulation.IsLogged) simulation.Log($"the disk is full for {time.TotalSeconds:F1} s");
        HitEverybody(time, isSecond: outageAftermath > simulation.Now);
        fullAftermath = simulation.Now + time + Aftermath;
        world.Server.IsFull = true;
        simulation.After(time, () => world.Server.IsFull = false);
    }

    /// <summary>Costs nobody anything who was not in trouble already.</summary>
    private void HitEverybody(TimeSpan time, bool isSecond)
    {
        foreach (var worker in world.Workers)
            if (isSecond || worker.TroubledUntil > simulation.Now) Harm(worker, time);
        outageAftermath = Later(outageAftermath, simulation.Now + time + Aftermath);
    }

    /// <summary>The client's end is gone; a keepalive finds out within about 8 s. Until then the lock stays with it.</summary>
    public void CloseLater(Session session)
    {
        session.IsBroken = true;
        if (!session.IsOpen) return;
        var time = simulation.Chance(0.5) ? TimeSpan.Zero : simulation.Between(0, 8);
        session.Worker.TroubledUntil = Later(session.Worker.TroubledUntil, simulation.Now + time + Aftermath);
        simulation.After(time, () => world.Server.Close(session));
    }

    /// <summary>Costs a worker nothing, unless the last trouble is not over yet, or it has only begun.</summary>
    private void Mild(Process process, TimeSpan time)
    {
        if (process is not SimulatedWorker worker) return;
        if (worker.TroubledUntil > simulation.Now || outageAftermath > simulation.Now || !worker.WasPresent) Harm(worker, time);
        worker.TroubledUntil = Later(worker.TroubledUntil, simulation.Now + time + Aftermath);
    }

    private void Harm(Process process, TimeSpan time)
    {
        if (process is SimulatedWorker worker) worker.HarmedUntil = Later(worker.TroubledUntil, Later(worker.HarmedUntil, simulation.Now + time + Aftermath));
    }

    private double Late(double most, double from = 0)
    {
        var seconds = simulation.Random.NextDouble(0.5, most);
        lastArrival = Later(lastArrival, simulation.Now + TimeSpan.FromSeconds(from + seconds));
        return seconds;
    }

    private SimulatedWorker? AnyWorker()
    {
        var alive = world.Workers.Where(worker => worker.IsAlive).ToList();
        return alive.Count == 0 ? null : alive[simulation.Random.NextInt32(alive.Count)];
    }

    private TimeSpan NextGap() => TimeSpan.FromSeconds(-meanGapSeconds * Math.Log(1 - simulation.Random.NextDouble()));

    private void Log(SimulatedWorker worker, string what)
    {
        if (simulation.IsLogged) simulation.Log($"{World.Name(worker.Id)} {what}");
    }

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
