namespace Temper.Simulation;

/// <summary>
/// Which faults occur and how often, drawn for each schedule: some see nothing but restarts of the database, others see every kind.
/// After a while the faults end.
/// </summary>
internal sealed class FaultSchedule
{
    private static readonly Fate Prompt = new(0.001, 0.001, double.PositiveInfinity);

    private readonly World world;
    private readonly Simulation simulation;
    private readonly Action<SimulatedWorker>[] kinds;
    private readonly double meanGapSeconds,
        loss,
        slowness,
        lateness,
        bothLate,
        strikeAfterChange,
        another;
    private readonly TimeSpan endsAt;
    private TimeSpan lastArrival;

    public FaultSchedule(World world)
    {
        (this.world, simulation) = (world, world.Simulation);
        var random = simulation.Random;
        loss = SometimesUpTo(0.15);
        slowness = SometimesUpTo(0.2);
        lateness = SometimesUpTo(0.15);
        bothLate = SometimesUpTo(0.02);
        RunnerFailures = SometimesUpTo(0.1);
        another = SometimesUpTo(0.6);
        strikeAfterChange = random.NextDouble(0, 0.15);
        meanGapSeconds = random.NextDouble(0.5, 12);
        endsAt = simulation.Between(3, 25);
        var all = world.FaultInjector.Kinds;
        random.Shuffle<Action<SimulatedWorker>>(all);
        // Most often two kinds, because most bugs need a pair of faults.
        kinds = all[
            ..(
                random.NextInt32(8) switch
                {
                    0 => 0,
                    1 => 1,
                    < 6 => 2,
                    6 => 3,
                    _ => all.Length,
                }
            )
        ];

        // It is 0 in most schedules: what is promised for one fault at a time can be checked only where no other kind occurs.
        double SometimesUpTo(double most) => random.NextInt32(4) > 0 ? 0 : random.NextDouble() * most;
    }

    public bool IsOver { get; private set; }

    /// <summary>How often a runner crashes, at each half epoch.</summary>
    public double RunnerFailures { get; private set; }

    /// <summary>When the faults are over and every message that was sent before has arrived.</summary>
    public TimeSpan QuietFrom => endsAt > lastArrival ? endsAt : lastArrival;

    public bool NothingIsUnderWay => simulation.Now >= lastArrival;

    public void Begin()
    {
        simulation.After(endsAt, End);
        if (kinds.Length > 0)
            simulation.After(NextGap(), StrikeAnybody);
    }

    public Fate FateOf(Process caller)
    {
        if (IsOver)
            return Prompt;
        var (random, health) = (simulation.Random, (caller as SimulatedWorker)?.Health);
        var kind = random.NextDouble();
        if ((kind -= loss) < 0)
        {
            health?.Fault(TimeSpan.FromSeconds(1));
            // The request, or its answer.
            return new(simulation.Chance(0.5) ? double.PositiveInfinity : 0.001, double.PositiveInfinity, random.NextDouble(0.01, 1));
        }
        if ((kind -= lateness) < 0)
        {
            // The caller gives up, and the server carries it out all the same.
            health?.Fault(TimeSpan.FromSeconds(1));
            return new(Late(8), double.PositiveInfinity, random.NextDouble(0.01, 1));
        }
        if ((kind -= bothLate) < 0)
        {
            health?.Harm(TimeSpan.FromSeconds(30));
            var there = Late(15);
            return new(there, Late(15, after: there), double.PositiveInfinity);
        }
        var longest = (kind -= slowness) < 0 ? 0.5 : 0.005;
        return new(random.NextDouble(0, longest), random.NextDouble(0, longest), double.PositiveInfinity);
    }

    /// <summary>Strikes at the most harmful moment: when a change is committed and its sender does not know it yet.</summary>
    public void AfterChange(Process sender)
    {
        if (kinds.Length > 0 && sender is SimulatedWorker worker && simulation.Chance(strikeAfterChange))
            Strike(worker);
    }

    private void StrikeAnybody()
    {
        if (IsOver)
            return;
        var alive = world.Workers.Where(worker => worker.IsAlive).ToList();
        if (alive.Count > 0)
            Strike(alive[simulation.Random.NextInt32(alive.Count)]);
        simulation.After(NextGap(), StrikeAnybody);
    }

    /// <summary>A second fault often follows within 4 s.</summary>
    private void Strike(SimulatedWorker worker)
    {
        if (IsOver || !worker.IsAlive)
            return;
        kinds[simulation.Random.NextInt32(kinds.Length)](worker);
        if (simulation.Chance(another))
            simulation.After(simulation.Between(0, 4), () => Strike(worker));
    }

    private void End()
    {
        IsOver = true;
        RunnerFailures = 0;
        world.FaultInjector.EndAll();
        if (!world.Workers.Any(worker => worker.IsAlive && !worker.IsStopping))
            world.StartWorker();
        simulation.Log("the faults end");
    }

    /// <returns>How many seconds a message takes that the end of the schedule must wait for.</returns>
    private double Late(double most, double after = 0)
    {
        var seconds = simulation.Random.NextDouble(0.5, most);
        var arrival = simulation.Now + TimeSpan.FromSeconds(after + seconds);
        if (arrival > lastArrival)
            lastArrival = arrival;
        return seconds;
    }

    private TimeSpan NextGap() => TimeSpan.FromSeconds(-meanGapSeconds * Math.Log(1 - simulation.Random.NextDouble()));
}
