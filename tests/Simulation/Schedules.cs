namespace Temper.Simulation;

/// <summary>Runs schedules 1, 2, 3 … on every core.</summary>
internal static class Schedules
{
    /// <summary>What the run covered, up to the first violation if there was one.</summary>
    internal sealed record Tally(long Count, long Events, TimeSpan Simulated, long[] Changing, long[] Idle, Violation? First);

    internal sealed record Violation(long Seed, string Promise)
    {
        public override string ToString() => $"schedule {Seed}: {Promise}; `bench/model/run --seed {Seed}` shows how";
    }

    public static Tally Run(PlantedBug bug, long count)
    {
        var gate = new Lock();
        var kinds = Enum.GetValues<Deed>().Length;
        var tally = new Tally(0, 0, default, new long[kinds], new long[kinds], null);
        Parallel.For(
            1,
            count + 1,
            (seed, loop) =>
            {
                var world = new World(seed, bug);
                var promise = BrokenPromise(world);
                if (promise is not null)
                    loop.Break(); // schedules of lower seeds still run: one of them may be the first violation
                lock (gate)
                {
                    tally = tally with
                    {
                        Count = tally.Count + 1,
                        Events = tally.Events + world.Simulation.Events,
                        Simulated = tally.Simulated + world.Simulation.Now,
                    };
                    for (var i = 0; i < kinds; i++)
                    {
                        tally.Changing[i] += world.InvariantChecker.Changing[i];
                        tally.Idle[i] += world.InvariantChecker.Idle[i];
                    }
                    if (promise is not null && (tally.First is null || seed < tally.First.Seed))
                        tally = tally with { First = new(seed, promise) };
                }
            }
        );
        return tally;
    }

    /// <returns>The number of the first <paramref name="count"/> schedules in which a promise is broken.</returns>
    public static int CountBroken(PlantedBug bug, long count)
    {
        var broken = 0;
        Parallel.For(
            1,
            count + 1,
            seed =>
            {
                if (BrokenPromise(new World(seed, bug)) is not null)
                    Interlocked.Increment(ref broken);
            }
        );
        return broken;
    }

    /// <summary>The log of one schedule, line by line; if a promise is broken, the last line names it.</summary>
    public static IReadOnlyList<string> Trace(PlantedBug bug, long seed)
    {
        var lines = new List<string>();
        if (BrokenPromise(new World(seed, bug, lines.Add)) is { } promise)
            lines.Add(promise);
        return lines;
    }

    private static string? BrokenPromise(World world)
    {
        try
        {
            world.Run();
            return null;
        }
        catch (ViolationException e)
        {
            return e.Message;
        }
    }
}
