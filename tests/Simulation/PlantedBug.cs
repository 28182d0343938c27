using Temper.Harness.Model;

namespace Temper.Simulation;

internal delegate TwinQueue MakeQueue(Func<DateTimeOffset> clock, Func<double> random);

internal delegate SimulatedWorker MakeWorker(World world, Guid id, int slots);

/// <summary>
/// A deliberate error in the protocol: a queue or a worker with one rule changed. See <see cref="PlantedBugs"/>.
/// </summary>
/// <param name="CaughtWithin">The number of schedules within which the simulation must catch the bug.</param>
internal sealed record PlantedBug(int CaughtWithin, MakeQueue? Queue = null, MakeWorker? Worker = null)
{
    /// <summary>The correct protocol.</summary>
    public static PlantedBug None { get; } = new(0);

    public TwinQueue NewQueue(Simulation simulation) =>
        (Queue ?? ((clock, random) => new TwinQueue(clock, random)))(() => simulation.DatabaseTime, simulation.Random.NextDouble);

    public SimulatedWorker NewWorker(World world, Guid id, int slots) => Worker is null ? new(world, id, slots) : Worker(world, id, slots);
}
