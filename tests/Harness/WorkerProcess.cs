using System.Diagnostics;

namespace Temper.Harness;

/// <summary>A worker with its runners.</summary>
public sealed class WorkerProcess : TemperProcess
{
    private WorkerProcess(IReadOnlyDictionary<string, string?> environment, string? folder)
        : base("Worker", environment, folder) { }

    /// <param name="home">Its TEMPER_HOME.</param>
    /// <param name="environment">Variables added to those that the worker needs to run.</param>
    /// <param name="folder">The folder of the program; the build's output folder when null.</param>
    public static async Task<WorkerProcess> StartAsync(
        string connectionString,
        string home,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? folder = null
    )
    {
        var worker = Start(connectionString, home, environment, folder);
        await worker.UntilReadyAsync(() => Task.FromResult(worker.IsReady), TimeSpan.FromSeconds(60));
        return worker;
    }

    /// <summary>
    /// Starts a worker with one thread unless told otherwise: two workers with two threads each on two cores wait for each other
    /// at every barrier.
    /// </summary>
    public static Task<WorkerProcess> StartOfOneThreadAsync(
        string connectionString,
        string home,
        params (string Name, string Value)[] environment
    )
    {
        var variables = new Dictionary<string, string?> { ["Worker__Threads"] = "1" };
        foreach (var (name, value) in environment)
            variables[name] = value;
        return StartAsync(connectionString, home, variables);
    }

    /// <summary>Starts a worker without waiting until it is ready.</summary>
    public static WorkerProcess Start(
        string connectionString,
        string home,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? folder = null
    ) =>
        new(
            new Dictionary<string, string?>(environment ?? new Dictionary<string, string?>())
            {
                ["ConnectionStrings__Temper"] = connectionString,
                ["TEMPER_HOME"] = home,
            },
            folder
        );

    public bool IsReady => Output.Contains("is ready");

    /// <summary>Process ids of its runners.</summary>
    public int[] Runners() =>
        [
            .. Process
                .GetProcesses()
                .Select(process => process.Id)
                .Where(id =>
                {
                    try
                    {
                        return File.ReadAllText($"/proc/{id}/cmdline").Contains("\0runner\0")
                            && File.ReadLines($"/proc/{id}/status").Any(line => line == $"PPid:\t{Id}");
                    }
                    catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                    {
                        return false; // the process has ended, or this user may not read it
                    }
                }),
        ];
}
