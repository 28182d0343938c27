using System.Text.RegularExpressions;

namespace Temper.Harness.Chaos;

/// <summary>A place for one worker, with its own proxy to the database. When its worker ends, another replaces it.</summary>
public sealed partial class WorkerSeat : IAsyncDisposable
{
    private static readonly TimeSpan LongestLeave = TimeSpan.FromSeconds(40);

    private readonly Lock gate = new();
    private readonly int number;
    private readonly IReadOnlyDictionary<string, string?> environment;
    private readonly string home;
    private readonly ChaosLog log;
    private readonly Violations violations;
    private readonly HashSet<WorkerProcess> doomed = [];
    private bool closed;

    public WorkerSeat(
        int number,
        string connectionString,
        string home,
        IReadOnlyDictionary<string, string?> environment,
        ChaosLog log,
        Violations violations
    )
    {
        (this.number, this.home, this.environment, this.log, this.violations) = (number, home, environment, log, violations);
        Proxy = new(connectionString);
        Worker = Start();
    }

    public TcpProxy Proxy { get; }

    public WorkerProcess Worker { get; private set; }

    public bool IsStalled { get; private set; }

    public bool IsEnding
    {
        get
        {
            lock (gate)
                return doomed.Contains(Worker) || Worker.HasExited;
        }
    }

    public bool IsReady => !IsEnding && Worker.IsReady;

    /// <summary>The process id of the worker's runner; null when it has none.</summary>
    public int? Runner =>
        IsEnding ? null
        : Worker.Runners() is [var runner, ..] ? runner
        : null;

    /// <summary>Number of reports that workers of this seat did not write because their job was no longer theirs.</summary>
    public int StaleWritesRefused { get; private set; }

    public int WorkersStarted { get; private set; }

    public async Task KillAsync()
    {
        var worker = Doom();
        await worker.KillAsync();
        await ReplaceAsync(worker);
    }

    public async Task TellToStopAsync()
    {
        var worker = Doom();
        await worker.SignalAsync("TERM");
        try
        {
            await worker.WaitForExitAsync(LongestLeave);
            log.Write($"worker {worker.Id} left with {worker.ExitCode}");
        }
        catch (OperationCanceledException)
        {
            violations.Add(Rule.ProcessEndedByItself, $"Worker {worker.Id}, told to stop, was there {LongestLeave.TotalSeconds} s later.");
            await worker.KillAsync();
        }
        await ReplaceAsync(worker);
    }

    public async Task StallAsync(TimeSpan time)
    {
        var worker = Worker;
        IsStalled = true;
        await worker.SignalAsync("STOP");
        await Task.Delay(time);
        if (!worker.HasExited)
            await worker.SignalAsync("CONT");
        IsStalled = false;
    }

    /// <summary>Replaces a worker that ended by itself, and reports it as a violation.</summary>
    public async Task LookAfterAsync()
    {
        var worker = Worker;
        lock (gate)
            if (!worker.HasExited || doomed.Contains(worker))
                return;
        violations.Add(
            Rule.ProcessEndedByItself,
            $"Worker {worker.Id} ended with {worker.ExitCode}; its last words:\n{LastLines(worker.Output)}"
        );
        await ReplaceAsync(worker);
    }

    public async ValueTask DisposeAsync()
    {
        lock (gate)
        {
            if (closed)
                return;
            closed = true;
        }
        Proxy.Mend();
        await RetireAsync(Doom());
        Proxy.Dispose();
    }

    internal static string LastLines(string output) =>
        string.Join('\n', output.TrimEnd().Split('\n').TakeLast(25).Select(line => line.Length <= 500 ? line : line[..500] + "…"));

    /// <summary>Marks the worker as one that this seat ends.</summary>
    private WorkerProcess Doom()
    {
        lock (gate)
        {
            doomed.Add(Worker);
            return Worker;
        }
    }

    private async Task ReplaceAsync(WorkerProcess worker)
    {
        lock (gate)
        {
            if (Worker != worker)
                return; // another fault replaced the worker first
            Worker = Start();
        }
        await RetireAsync(worker);
    }

    private async Task RetireAsync(WorkerProcess worker)
    {
        await worker.DisposeAsync();
        StaleWritesRefused += Refusals().Count(worker.Output);
        log.Keep($"worker-{number}-{worker.Id}.log", worker.Output);
    }

    private WorkerProcess Start()
    {
        WorkersStarted++;
        return WorkerProcess.Start(Proxy.ConnectionString, home, environment);
    }

    [GeneratedRegex("no longer ours: nothing written")]
    private static partial Regex Refusals();
}
