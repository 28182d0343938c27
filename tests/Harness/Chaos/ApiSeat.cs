namespace Temper.Harness.Chaos;

/// <summary>
/// The API at one address, with its own proxy to the database. After a kill the API starts again at the same address.
/// </summary>
public sealed class ApiSeat : IAsyncDisposable
{
    /// <summary>The ports lie below those of outgoing connections, so that the port is free at each start.</summary>
    private const int FirstPort = 12000,
        Ports = 8000;

    /// <summary>Connections that were opened before the process died may fail a moment later.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Time for a server that has just started, and for the broken connections of a pool, which fail one after another.
    /// </summary>
    private static readonly TimeSpan DatabaseMargin = TimeSpan.FromSeconds(5);

    private readonly Lock gate = new();
    private readonly Spans down = new(Margin);
    private readonly ChaosLog log;
    private readonly Violations violations;
    private readonly List<IDisposable> untilUp = [];
    private ApiProcess api;

    public ApiSeat(string connectionString, ChaosLog log, Violations violations)
    {
        (this.log, this.violations) = (log, violations);
        Proxy = new(connectionString);
        Address = new($"http://127.0.0.1:{FreePort()}");
        untilUp.Add(down.Open());
        api = Start();
    }

    public Uri Address { get; }

    public TcpProxy Proxy { get; }

    /// <summary>Kills the API and starts it again.</summary>
    public async Task KillAsync()
    {
        ApiProcess old;
        lock (gate)
        {
            old = api;
            untilUp.Add(down.Open());
        }
        await old.KillAsync();
        await ReplaceAsync(old);
    }

    public async Task LookAfterAsync()
    {
        var running = api;
        if (!running.HasExited || WasDown(DateTime.UtcNow - Margin, DateTime.UtcNow))
            return;
        violations.Add(
            Rule.ProcessEndedByItself,
            $"The API {running.Id} ended with {running.ExitCode}; its last words:\n{WorkerSeat.LastLines(running.Output)}"
        );
        lock (gate)
            untilUp.Add(down.Open());
        await ReplaceAsync(running);
    }

    /// <summary>Whether the API was down at some moment of that time; a connection may then have broken.</summary>
    public bool WasDown(DateTime from, DateTime until) => down.Touch(from, until);

    /// <summary>The times at which the API could not reach the database; it may then answer 503.</summary>
    public Spans DatabaseAway { get; } = new(DatabaseMargin);

    public async Task UpAsync(TimeSpan limit)
    {
        await Eventually.TrueAsync(
            async () => !api.HasExited && await api.AnswersAsync("/health/ready"),
            limit,
            "The API did not come up."
        );
        lock (gate)
        {
            foreach (var span in untilUp)
                span.Dispose();
            untilUp.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        down.Open();
        await RetireAsync(api);
        Proxy.Dispose();
    }

    private async Task ReplaceAsync(ApiProcess old)
    {
        lock (gate)
        {
            if (api != old)
                return; // another kill was faster
            api = Start();
        }
        await RetireAsync(old);
        await UpAsync(TimeSpan.FromSeconds(90));
    }

    private async Task RetireAsync(ApiProcess old)
    {
        await old.DisposeAsync();
        log.Keep($"api-{old.Id}.log", old.Output);
    }

    private ApiProcess Start() => ApiProcess.Start(Proxy.ConnectionString, address: Address);

    private static int FreePort()
    {
        var taken = System
            .Net.NetworkInformation.IPGlobalProperties.GetIPGlobalProperties()
            .GetActiveTcpListeners()
            .Select(listener => listener.Port)
            .ToHashSet();
        return Enumerable
            .Range(0, Ports)
            .Select(i => FirstPort + (Environment.ProcessId * 7 + i) % Ports)
            .First(port => !taken.Contains(port));
    }
}
