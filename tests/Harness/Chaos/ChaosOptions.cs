namespace Temper.Harness.Chaos;

/// <summary>How much chaos.</summary>
public sealed record ChaosOptions
{
    /// <summary>Decides every fault and every job.</summary>
    public long Seed { get; init; } = 1;

    public int Faults { get; init; } = 320;

    /// <summary>Mean time between two faults; each gap is two to four thirds of it.</summary>
    public TimeSpan FaultInterval { get; init; } = TimeSpan.FromSeconds(1.5);

    public int Workers { get; init; } = 3;

    /// <summary>Distinct specs among the jobs.</summary>
    public int Specs { get; init; } = 12;

    /// <summary>Jobs to submit at least; more when the queue would run empty before the faults end.</summary>
    public int LeastJobs { get; init; } = 300;

    /// <summary>Images to train on: with four epochs of them a job takes a second or two when nothing disturbs it.</summary>
    public int TrainImages { get; init; } = 800;

    /// <summary>How long random requests are sent at most; they end with the faults.</summary>
    public TimeSpan Fuzzing { get; init; } = TimeSpan.FromMinutes(6);

    /// <summary>How long after the last fault every job must be over.</summary>
    public TimeSpan DrainLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Schedule, faults as they came, violations and the output of every process are kept here.</summary>
    public required string LogFolder { get; init; }
}
