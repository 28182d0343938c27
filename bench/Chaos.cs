using System.Globalization;
using System.Runtime.InteropServices;
using Temper.Harness.Chaos;

namespace Temper.Bench;

/// <summary>Runs jobs while faults hit every part of the service; see tests/Harness/Chaos.</summary>
internal static class Chaos
{
    private const int Interrupted = 130;

    /// <returns>0 when every rule was kept, 1 when a rule was broken, 130 when the run was interrupted.</returns>
    public static async Task<int> RunAsync(IReadOnlyDictionary<string, double> settings)
    {
        var seed = (long)settings.GetValueOrDefault("--seed", 1);
        var faults = (int)settings.GetValueOrDefault("--faults", 320);
        var minutes = settings.GetValueOrDefault("--minutes", faults * 1.5 / 60);
        var options = new ChaosOptions
        {
            Seed = seed,
            Faults = faults,
            FaultInterval = TimeSpan.FromMinutes(minutes) / faults,
            Workers = (int)settings.GetValueOrDefault("--workers", 3),
            LeastJobs = (int)settings.GetValueOrDefault("--jobs", 300),
            Fuzzing = TimeSpan.FromMinutes(settings.GetValueOrDefault("--fuzz", 6)),
            LogFolder = Path.Combine(TemperProcess.Repository, ".temper", "chaos", $"{DateTime.Now:yyyyMMdd-HHmmss}-seed-{seed}"),
        };
        Console.Error.WriteLine($"Schedule, events and the output of every process: {options.LogFolder}");

        // A signal also ends the run's processes and its database.
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        ChaosReport report;
        try
        {
            report = await ChaosRun.RunAsync(options, stop.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return Interrupted;
        }

        Console.WriteLine($"# Jobs while everything fails\n\n{Machine.Describe()}\n\n{report.Markdown.TrimEnd()}");
        foreach (var (rule, what) in report.Violations)
            Console.Error.WriteLine($"{rule}: {what}");
        return report.Violations.Count == 0 ? 0 : 1;

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    /// <summary>Parses `--name value` pairs; null when the arguments are not such pairs.</summary>
    public static Dictionary<string, double>? Settings(string[] arguments)
    {
        string[] known = ["--seed", "--minutes", "--faults", "--jobs", "--workers", "--fuzz"];
        var settings = new Dictionary<string, double>();
        foreach (var pair in arguments.Chunk(2))
        {
            if (
                pair is not [var name, var value]
                || !known.Contains(name)
                || !double.TryParse(value, CultureInfo.InvariantCulture, out var number)
                || number < 0
            )
                return null;
            settings[name] = number;
        }
        return settings;
    }
}
