namespace Temper.Unit.Model;

/// <summary>
/// How often what goes wrong, drawn for each schedule anew: some see nothing but restarts of the database, some everything at
/// once. After a while it clears.
/// </summary>
internal sealed class Weather
{
    private static readonly Fate Prompt = new(0.001, 0.001, double.PositiveInfinity);

    private readonly World world;
    private readonly Simulation simulation;
    private readonly Action<SimulatedWorker>[] kinds;
    private readonly double meanGapSeconds, loss, slowness, lateness, tardiness, spite, company;
    private readonly TimeSpan clearAt;
    private TimeSpan lastArrival;

    public Weather(World world)
    {
        (this.world, simulation) = (world, world.Simulation);
        var random = simulation.Random;
        loss = SometimesUpTo(0.15);
        slowness = SometimesUpTo(0.2);
        lateness = SometimesUpTo(0.15);
        tardiness = SometimesUpTo(0.02);
        RunnerFailures = SometimesUpTo(0.1);
        company = SometimesUpTo(0.6);
        spite = random.NextDouble(0, 0.15);
        meanGapSeconds = random.NextDouble(0.5, 12);
        clearAt = simulation.Between(3, 25);
        var all = world.Troubles.Kinds;
        random.Shuffle<Action<SimulatedWorker>>(all);
        // Most often two kinds: it is pairs that surprise.
        kinds = all[..(random.NextInt32(8) switch { 0 => 0, 1 => 1, < 6 => 2, 6 => 3, _ => all.Length })];

        // Most schedules know nothing of it: what was promised for one trouble at a time shows only where the rest is quiet.
        double SometimesUpTo(double most) => random.NextInt32(4) > 0 ? 0 : random.NextDouble() * most;
    }

    public bool IsClear { get; private set; }

    /// <summary>How often a runner crashes, at each half epoch.</summary>
    public double RunnerFailures { get; private set; }

    /// <summary>When it is clear, and every message that was sent before has arrived.</summary>
    public TimeSpan QuietFrom => clearAt > lastArrival ? clearAt : lastArrival;

    public bool NothingIsUnderWay => simulation.Now >= lastArrival;

    public void Begin()
    {
        simulation.After(clearAt, Clear);
        if (kinds.Length > 0) simulation.After(NextGap(), StrikeAnybody);
    }

    public Fate FateOf(Process caller)
    {
        if (IsClear) return Prompt;
        var (random, health) = (simulation.Random, (caller as SimulatedWorker)?.Health);
        var kind = random.NextDouble();
        if ((kind -= loss) < 0)
        {
            health?.Trouble(TimeSpan.FromSeconds(1));
            // The request, or its answer.
            return new(simulation.Chance(0.5) ? double.PositiveInfinity : 0.001, double.PositiveInfinity, random.NextDouble(0.01, 1));
        }
        if ((kind -= lateness) < 0)
        {
            // The caller gives up, and the server carries it out all the same.
            health?.Trouble(TimeSpan.FromSeconds(1));
            return new(Late(8), double.PositiveInfinity, random.NextDouble(0.01, 1));
        }
        if ((kind -= tardiness) < 0)
        {
            health?.Harm(TimeSpan.FromSeconds(30));
            var there = Late(15);
            return new(there, Late(15, after: there), double.PositiveInfinity);
        }
        var longest = (kind -= slowness) < 0 ? 0.5 : 0.005;
        return new(random.NextDouble(0, longest), random.NextDouble(0, longest), double.PositiveInfinity);
    }

    /// <summary>Trouble comes at any time, and where it hurts most: when a change is committed and its sender does not know yet.</summary>
    public void AfterChange(Process sender)
    {
        if (kinds.Length > 0 && sender is SimulatedWorker worker && simulation.Chance(spite)) Strike(worker);
    }

    private void StrikeAnybody()
    {
        if (IsClear) return;
        var alive = world.Workers.Where(worker => worker.IsAlive).ToList();
        if (alive.Count > 0) Strike(alive[simulation.Random.NextInt32(alive.Count)]);
        simulation.After(NextGap(), StrikeAnybody);
    }

    /// <summary>It seldom comes alone.</summary>
    private void Strike(SimulatedWorker worker)
    {
        if (IsClear || !worker.IsAlive) return;
        kinds[simulation.Random.NextInt32(kinds.Length)](worker);
        if (simulation.Chance(company)) simulation.After(simulation.Between(0, 4), () => Strike(worker));
    }

    private void Clear()
    {
        IsClear = true;
        RunnerFailures = 0;
        world.Troubles.EndAll();
        if (!world.Workers.Any(worker => worker.IsAlive && !worker.IsStopping)) world.StartWorker();
        simulation.Log("the weather clears");
    }

    /// <returns>How many seconds a message takes that the end of the schedule must wait for.</returns>
    private double Late(double most, double after = 0)
    {
        var seconds = simulation.Random.NextDouble(0.5, most);
        var arrival = simulation.Now + TimeSpan.FromSeconds(after + seconds);
        if (arrival > lastArrival) lastArrival = arrival;
        return seconds;
    }

    private TimeSpan NextGap() => TimeSpan.FromSeconds(-meanGapSeconds * Math.Log(1 - simulation.Random.NextDouble()));
}
