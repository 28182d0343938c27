using Temper.Domain.Jobs;

namespace Temper.Worker;

/// <summary>
/// Settings of a worker, from the configuration section `Worker` (in the environment: `Worker__Slots` and so on).
/// TEMPER_HOME and TEMPER_DATA set the folders.
/// </summary>
public sealed class WorkerOptions
{
    /// <summary>
    /// What the slots train on. `auto`: the cards that nvidia-smi lists at the start, or <see cref="Slots"/> slots when it lists
    /// none. `cuda`: the cards; the worker takes no job until nvidia-smi lists one and a runner sees it. `cpu`:
    /// <see cref="Slots"/> slots whose runners see no card.
    /// </summary>
    public DeviceName Device { get; init; } = DeviceName.Auto;

    /// <summary>Jobs that run at once on a worker without cards, each in its own runner. 1 to 64, default 1.</summary>
    public int Slots { get; init; } = 1;

    /// <summary>Jobs that run at once on each card. 1 to 16, default 1.</summary>
    public int SlotsPerDevice { get; init; } = 1;

    /// <summary>The program that lists the cards: a name that is looked up in PATH, or a path.</summary>
    public string NvidiaSmi { get; init; } = "nvidia-smi";

    /// <summary>CPU threads per runner, at least 1. Default: the machine's cores divided by all slots.</summary>
    public int? Threads { get; init; }

    /// <summary>How long a connected worker may send no heartbeat before others take its jobs. At least 5, default 30.</summary>
    public double LeaseSeconds { get; init; } = 30;

    /// <summary>
    /// Interval between checkpoints within an epoch. 1 to 86400, default 30. The runner also makes one at the end of an epoch,
    /// unless the last one is under 5 s old.
    /// </summary>
    public double CheckpointSeconds { get; init; } = 30;

    /// <summary>How long a runner may be silent before it is killed and the attempt counts. 2 to 86400, default 120.</summary>
    public double HangSeconds { get; init; } = 120;

    /// <summary>
    /// How many different jobs must fail in a row before a card is set aside, or a worker without cards. At least 2, default 3.
    /// </summary>
    public int BreakerJobs { get; init; } = 3;

    /// <summary>
    /// First wait before a fresh runner is tried on what was set aside; doubles up to five times. 1 to 86400, default 30.
    /// </summary>
    public double ProbeSeconds { get; init; } = 30;

    /// <summary>
    /// A base URL that the runner tries before the public mirrors, for networks that do not reach those. It serves
    /// {Mirror}/{dataset}/{file}.
    /// </summary>
    public string? Mirror { get; init; }

    /// <summary>
    /// How long a mirror may be silent before the runner tries the next one. Above 0, at most 3600, default 30.
    /// </summary>
    public double DownloadStallSeconds { get; init; } = 30;

    /// <summary>
    /// A file that the worker touches every 5 s while it runs. `Temper.Worker health` fails when the file is older than 30 s. Null
    /// for none.
    /// </summary>
    public string? AliveFile { get; init; }

    /// <summary>Npgsql connection string with its password, from `ConnectionStrings__Temper`. Runners do not get it.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>Folder with the state of this installation. Its `data` folder keeps downloaded data sets.</summary>
    public required string Home { get; init; }

    /// <summary>A folder of data sets that the runner reads first: {DataFolder}/{dataset}/{file}. Null for none.</summary>
    public string? DataFolder { get; init; }

    /// <param name="slots">All slots of the worker.</param>
    public int ThreadsPerRunner(int slots) => Threads ?? Math.Max(1, Environment.ProcessorCount / slots);

    public TimeSpan CheckpointInterval => TimeSpan.FromSeconds(CheckpointSeconds);

    public TimeSpan HangLimit => TimeSpan.FromSeconds(HangSeconds);

    /// <summary>
    /// How long a runner may take until it is ready. At least 120 s, because a cold GPU takes much longer than a training step.
    /// </summary>
    public TimeSpan StartLimit => TimeSpan.FromSeconds(Math.Max(HangSeconds, 120));

    public TimeSpan ProbeInterval => TimeSpan.FromSeconds(ProbeSeconds);

    public TimeSpan Lease => TimeSpan.FromSeconds(LeaseSeconds);

    /// <exception cref="InvalidOperationException">A setting is out of its range.</exception>
    public static WorkerOptions From(IConfiguration configuration)
    {
        var section = configuration.GetSection("Worker");
        var options = new WorkerOptions
        {
            Device = section.GetValue("Device", DeviceName.Auto),
            Slots = section.GetValue("Slots", 1),
            SlotsPerDevice = section.GetValue("SlotsPerDevice", 1),
            NvidiaSmi = section["NvidiaSmi"] is { Length: > 0 } program ? program : "nvidia-smi",
            Threads = section.GetValue<int?>("Threads"),
            LeaseSeconds = section.GetValue("LeaseSeconds", 30.0),
            CheckpointSeconds = section.GetValue("CheckpointSeconds", 30.0),
            HangSeconds = section.GetValue("HangSeconds", 120.0),
            BreakerJobs = section.GetValue("BreakerJobs", 3),
            ProbeSeconds = section.GetValue("ProbeSeconds", 30.0),
            Mirror = section["Mirror"],
            DownloadStallSeconds = section.GetValue("DownloadStallSeconds", 30.0),
            AliveFile = section["AliveFile"] is { Length: > 0 } file ? Path.GetFullPath(file) : null,
            ConnectionString = configuration.GetConnectionString("Temper"),
            Home = Path.GetFullPath(configuration["TEMPER_HOME"] is { Length: > 0 } home ? home : ".temper"),
            DataFolder = configuration["TEMPER_DATA"] is { Length: > 0 } folder ? Path.GetFullPath(folder) : null,
        };
        if (options.Slots is < 1 or > 64)
            throw new InvalidOperationException($"Worker:Slots must be 1 to 64, not {options.Slots}.");
        if (!Enum.IsDefined(options.Device))
            throw new InvalidOperationException($"Worker:Device must be auto, cpu or cuda, not {options.Device}.");
        if (options.SlotsPerDevice is < 1 or > 16)
            throw new InvalidOperationException($"Worker:SlotsPerDevice must be 1 to 16, not {options.SlotsPerDevice}.");
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
