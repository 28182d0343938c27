using Temper.Store.Retention;

namespace Temper.Worker;

/// <summary>
/// Settings of a worker: section `Worker`, in the environment `Worker__Slots` and so on; folders by TEMPER_HOME and
/// TEMPER_DATA.
/// </summary>
public sealed class WorkerOptions
{
    /// <summary>Jobs to run at once, each in a runner process of its own. 1 to 64, default 1; on a GPU node, the number of GPUs.</summary>
    public int Slots { get; init; } = 1;

    /// <summary>CPU threads per runner. Default: the machine's cores shared evenly among the slots.</summary>
    public int? Threads { get; init; }

    /// <summary>How long a worker that keeps its connection may stay silent before its jobs are taken away. Default 30.</summary>
    public double LeaseSeconds { get; init; } = 30;

    /// <summary>How often a running epoch is checkpointed; each epoch's end is as well. Default 30.</summary>
    public double CheckpointSeconds { get; init; } = 30;

    /// <summary>How long a runner may give no sign of life before it is killed, the attempt counted. Default 120.</summary>
    public double HangSeconds { get; init; } = 120;

    /// <summary>How many different jobs must fail in a row until the worker takes no more for a while. Default 3.</summary>
    public int BreakerJobs { get; init; } = 3;

    /// <summary>How long it then waits until it tries a fresh runner; doubled each time, five times at most. Default 30.</summary>
    public double ProbeSeconds { get; init; } = 30;

    /// <summary>
    /// A base URL tried before the public mirrors, for networks that do not reach them; files at
    /// {Mirror}/{dataset}/{file}.
    /// </summary>
    public string? Mirror { get; init; }

    /// <summary>How long a mirror may send nothing before the next one is tried. Default 30.</summary>
    public double DownloadStallSeconds { get; init; } = 30;

    /// <summary>Npgsql connection string, with its password; from `ConnectionStrings__Temper`. Runners have none.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>State of this installation; downloaded data sets are kept in its `data` folder.</summary>
    public required string Home { get; init; }

    /// <summary>A folder of data sets that is read first, as {DataFolder}/{dataset}/{file}; null when there is none.</summary>
    public string? DataFolder { get; init; }

    public RetentionOptions Retention { get; init; } = new();

    public int ThreadsPerRunner => Threads ?? Math.Max(1, Environment.ProcessorCount / Slots);

    public TimeSpan CheckpointInterval => TimeSpan.FromSeconds(CheckpointSeconds);

    public TimeSpan HangLimit => TimeSpan.FromSeconds(HangSeconds);

    /// <summary>How long a runner may take until it is ready; a cold GPU takes much longer than a training step.</summary>
    public TimeSpan StartLimit => TimeSpan.FromSeconds(Math.Max(HangSeconds, 120));

    public TimeSpan ProbeInterval => TimeSpan.FromSeconds(ProbeSeconds);

    public TimeSpan Lease => TimeSpan.FromSeconds(LeaseSeconds);

    /// <exception cref="InvalidOperationException">A setting is out of its range.</exception>
    public static WorkerOptions From(IConfiguration configuration)
    {
        var section = configuration.GetSection("Worker");
        var options = new WorkerOptions
        {
            Slots = section.GetValue("Slots", 1),
            Threads = section.GetValue<int?>("Threads"),
            LeaseSeconds = section.GetValue("LeaseSeconds", 30.0),
            CheckpointSeconds = section.GetValue("CheckpointSeconds", 30.0),
            HangSeconds = section.GetValue("HangSeconds", 120.0),
            BreakerJobs = section.GetValue("BreakerJobs", 3),
            ProbeSeconds = section.GetValue("ProbeSeconds", 30.0),
            Mirror = section["Mirror"],
            DownloadStallSeconds = section.GetValue("DownloadStallSeconds", 30.0),
            ConnectionString = configuration.GetConnectionString("Temper"),
            Retention = (configuration.GetSection("Retention").Get<RetentionOptions>() ?? new()).Checked(),
            Home = Path.GetFullPath(configuration["TEMPER_HOME"] is { Length: > 0 } home ? home : ".temper"),
            DataFolder = configuration["TEMPER_DATA"] is { Length: > 0 } folder ? Path.GetFullPath(folder) : null,
        };
        if (options.Slots is < 1 or > 64)
            throw new InvalidOperationException($"Worker:Slots must be 1 to 64, not {options.Slots}.");
        if (options.Threads is < 1)
            throw new InvalidOperationException($"Worker:Threads must be at least 1, not {options.Threads}.");
        if (!(options.LeaseSeconds >= 5))
            throw new InvalidOperationException($"Worker:LeaseSeconds must be at least 5, not {options.LeaseSeconds}.");
        if (!(options.CheckpointSeconds is >= 1 and <= 86_400))
            throw new InvalidOperationException($"Worker:CheckpointSeconds must be 1 to 86400, not {options.CheckpointSeconds}.");
        if (!(options.HangSeconds is >= 2 and <= 86_400))
            throw new InvalidOperationException($"Worker:HangSeconds must be 2 to 86400, not {options.HangSeconds}.");
        if (options.BreakerJobs < 2)
            throw new InvalidOperationException($"Worker:BreakerJobs must be at least 2, not {options.BreakerJobs}.");
        if (!(options.ProbeSeconds is >= 1 and <= 86_400))
            throw new InvalidOperationException($"Worker:ProbeSeconds must be 1 to 86400, not {options.ProbeSeconds}.");
        if (!(options.DownloadStallSeconds is > 0 and <= 3600))
            throw new InvalidOperationException(
                $"Worker:DownloadStallSeconds must be above 0, at most 3600, not {options.DownloadStallSeconds}."
            );
        return options;
    }
}
