namespace Temper.Simulation;

/// <summary>
/// Draws which faults occur and how often, for each schedule: some schedules have only restarts of the database, others have
/// every kind. The faults end after a while.
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
        // Most schedules have two kinds, because most bugs need a pair of faults.
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

        // The result is 0 in most schedules: a promise about one fault at a time can be checked only where no other kind occurs.
        double SometimesUpTo(double most) => random.NextInt32(4) > 0 ? 0 : random.NextDouble() * most;
    }

    public bool IsOver { get; private set; }

    /// <summary>The probability that a runner crashes, at each half epoch.</summary>
    public double RunnerFailures { get; private set; }

    /// <summary>The time at which the faults are over and every message sent before has arrived.</summary>
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
            // Either the request or its answer is lost.
            return new(simulation.Chance(0.5) ? double.PositiveInfinity : 0.001, double.PositiveInfinity, random.NextDouble(0.01, 1));
        }
        if ((kind -= lateness) < 0)
        {
            // The caller gives up, and the server still executes the statement.
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

    /// <summary>Causes a fault at the most harmful moment: a change is committed and its sender does not know it yet.</summary>
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

    /// <summary>Causes a fault. A second one often follows within 4 s.</summary>
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
        while (!world.Workers.Any(worker => worker.IsAlive && !worker.IsStopping && worker.KnownRevision == World.LatestRevision))
            world.StartWorker();
        simulation.Log("the faults end");
    }

    /// <returns>The seconds that a message takes. The schedule does not count as quiet before the message has arrived.</returns>
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
