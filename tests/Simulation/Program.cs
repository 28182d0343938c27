using System.Diagnostics;
using System.Globalization;
using Temper.Bench;

namespace Temper.Simulation;

/// <summary>The entry point of bench/model/run; the tests do not use it.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        switch (args)
        {
            case ["--seed", var seed, .. var bug]:
                foreach (
                    var line in Schedules.Trace(
                        bug is [var name] ? PlantedBugs.All[name] : PlantedBug.None,
                        long.Parse(seed, CultureInfo.InvariantCulture)
                    )
                )
                    Console.WriteLine(line);
                return 0;
            case [var count]:
                return Record(long.Parse(count, CultureInfo.InvariantCulture));
            default:
                Console.Error.WriteLine("usage: COUNT | --seed SEED [BUG]");
                return 2;
        }
    }

    private static int Record(long count)
    {
        const int Sample = 20_000;
        Schedules.Run(PlantedBug.None, 2_000); // so that the JIT compiles everything before the measurement
        var clock = Stopwatch.StartNew();
        var tally = Schedules.Run(PlantedBug.None, count);
        var seconds = clock.Elapsed.TotalSeconds;
        Console.WriteLine($"# The protocol under injected faults\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            $"{tally.Count:N0} schedules, {tally.Events:N0} events, {tally.Simulated.TotalDays:F0} simulated days in {seconds:F0} s: "
                + $"{tally.Count / seconds:N0} schedules a second."
        );
        Console.WriteLine(tally.First is null ? "No promise was broken.\n" : $"Broken: {tally.First}\n");
        Console.WriteLine($"| planted bug | first caught in schedule | in how many of {Sample:N0} | by the promise |\n|---|---|---|---|");
        foreach (var (name, bug) in PlantedBugs.All)
        {
            var first = Schedules.Run(bug, bug.CaughtWithin).First;
            Console.WriteLine(
                $"| {name} | {first?.Seed.ToString("N0", CultureInfo.InvariantCulture) ?? $"not within {bug.CaughtWithin:N0}"} | "
                    + $"{Schedules.CountBroken(bug, Sample):N0} | {first?.Promise} |"
            );
        }
        return tally.First is null ? 0 : 1;
    }
}
