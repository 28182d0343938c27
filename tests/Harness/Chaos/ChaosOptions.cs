namespace Temper.Harness.Chaos;

/// <summary>The options of a chaos run.</summary>
public sealed record ChaosOptions
{
    /// <summary>Determines every fault and every job.</summary>
    public long Seed { get; init; } = 1;

    public int Faults { get; init; } = 320;

    /// <summary>Mean time between two faults; each gap is two to four thirds of it.</summary>
    public TimeSpan FaultInterval { get; init; } = TimeSpan.FromSeconds(1.5);

    public int Workers { get; init; } = 3;

    /// <summary>Number of distinct specs among the jobs.</summary>
    public int Specs { get; init; } = 12;

    /// <summary>
    /// Least number of jobs to submit; the run submits more when the queue would run empty before the faults end.
    /// </summary>
    public int LeastJobs { get; init; } = 300;

    /// <summary>
    /// Number of training images: with four epochs of 800 a job takes a second or two when nothing disturbs it.
    /// </summary>
    public int TrainImages { get; init; } = 800;

    /// <summary>How long the run sends random requests at most; it stops them when the faults end.</summary>
    public TimeSpan Fuzzing { get; init; } = TimeSpan.FromMinutes(6);

    /// <summary>Time limit after the last fault within which every job must end.</summary>
    public TimeSpan DrainLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The folder for the schedule, the log of faults and violations, and the output of every process.</summary>
    public required string LogFolder { get; init; }
}
