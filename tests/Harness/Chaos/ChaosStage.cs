namespace Temper.Harness.Chaos;

/// <summary>All processes of a run, and the faults that can hit them.</summary>
public sealed class ChaosStage : IAsyncDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("temper-chaos-").FullName;
    private readonly SemaphoreSlim databaseGate = new(1);
    private readonly List<WorkerSeat> seats = [];
    private readonly ChaosLog log;
    private readonly Violations violations;
    private PostgresServer postgres = null!;

    private ChaosStage(ChaosLog log, Violations violations) => (this.log, this.violations) = (log, violations);

    public ApiSeat Api { get; private set; } = null!;

    public ChaosDatabase Database { get; private set; } = null!;

    public IReadOnlyList<WorkerSeat> Seats => seats;

    /// <summary>Sets the stage up with one worker; <see cref="FillSeatsAsync"/> adds the others.</summary>
    public static async Task<ChaosStage> SetUpAsync(ChaosOptions options, ChaosLog log, Violations violations)
    {
        var stage = new ChaosStage(log, violations);
        try
        {
            IdxFiles.WriteFolder(stage.DataFolder, "mnist", options.TrainImages, options.TrainImages / 8);
            stage.postgres = await PostgresServer.StartAsync();
            stage.Database = new(stage.postgres.ConnectionString);
            await Store.Migrator.MigrateAsync(stage.Database.DataSource, CancellationToken.None);
            await Audit.InstallAsync(stage.Database);
            stage.Api = new(stage.postgres.ConnectionString, log, violations);
            await stage.FillSeatsAsync(1);
            await stage.Api.UpAsync(TimeSpan.FromSeconds(60));
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    public async Task FillSeatsAsync(int count)
    {
        while (seats.Count < count)
            seats.Add(new(seats.Count, postgres.ConnectionString, home, WorkerSettings, log, violations));
        await Eventually.TrueAsync(
            () => Task.FromResult(seats.All(seat => seat.Worker.IsReady)),
            TimeSpan.FromSeconds(120),
            "A worker did not become ready."
        );
    }

    /// <returns>False when the fault found nothing to hit.</returns>
    public async Task<bool> BringAboutAsync(Fault fault)
    {
        switch (fault.Kind)
        {
            case FaultKind.WorkerKilled:
                return await OnSeatAsync(fault, seat => !seat.IsEnding, seat => seat.KillAsync());
            case FaultKind.WorkerStalled or FaultKind.WorkerStalledBeyondLease:
                return await OnSeatAsync(fault, seat => !seat.IsEnding && !seat.IsStalled, seat => seat.StallAsync(fault.Lasts));
            case FaultKind.WorkerToldToStop:
                return await OnSeatAsync(fault, seat => !seat.IsEnding, seat => seat.TellToStopAsync());
            case FaultKind.RunnerKilled:
                return await OnSeatAsync(fault, seat => seat.Runner is not null, seat => Signal(seat.Runner, "KILL"));
            case FaultKind.RunnerStalled:
                return await OnSeatAsync(fault, seat => seat.Runner is not null, seat => StallRunnerAsync(seat.Runner, fault.Lasts));
            case FaultKind.WorkerCutOff:
                return await OnSeatAsync(fault, seat => !seat.IsEnding, seat => CutAsync(seat.Proxy, fault.Lasts));
            case FaultKind.ApiKilled:
                await Api.KillAsync();
                return true;
            case FaultKind.ApiCutOff:
                using (Api.DatabaseAway.Open())
                    await CutAsync(Api.Proxy, fault.Lasts);
                return true;
            case FaultKind.DatabaseRestarted:
                await OnServerAsync(postgres.RestartAsync);
                return true;
            case FaultKind.DatabaseCrashed:
                await OnServerAsync(postgres.CrashAsync);
                return true;
            case FaultKind.BackendsTerminated:
                using (Api.DatabaseAway.Open())
                    return await Database.TerminateBackendsAsync(fault.Target) > 0;
            case FaultKind.HangfireLocked:
                await Database.LockHangfireAsync(fault.Lasts);
                return true;
            case FaultKind.OperatorMeddles:
                return await Operator.MeddleAsync(Database, Api.Address, violations);
            default:
                throw new ArgumentException($"{fault.Kind} is no fault.");
        }
    }

    /// <summary>
    /// A worker takes long to start on a slow machine, and faults that hit only starting workers would show nothing.
    /// </summary>
    public bool MostWorkersAreReady => 2 * seats.Count(seat => seat.IsReady) > seats.Count;

    public async Task LookAfterAsync()
    {
        await Api.LookAfterAsync();
        foreach (var seat in seats)
            await seat.LookAfterAsync();
    }

    /// <summary>Ends the workers, because only then can everything that they logged be counted.</summary>
    public Task CloseSeatsAsync() => Task.WhenAll(seats.Select(seat => seat.DisposeAsync().AsTask()));

    public async ValueTask DisposeAsync()
    {
        await CloseSeatsAsync();
        if (Api is not null)
            await Api.DisposeAsync();
        if (Database is not null)
            await Database.DisposeAsync();
        if (postgres is not null)
            await postgres.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }

    private string DataFolder => Path.Combine(home, "data-sets");

    private Dictionary<string, string?> WorkerSettings =>
        new()
        {
            ["TEMPER_DATA"] = DataFolder,
            ["Worker__Slots"] = "1",
            ["Worker__Threads"] = "1",
            ["Worker__LeaseSeconds"] = "5",
            ["Worker__CheckpointSeconds"] = "1",
        };

    private async Task<bool> OnSeatAsync(Fault fault, Func<WorkerSeat, bool> fits, Func<WorkerSeat, Task> bringAbout)
    {
        var inTurn = Enumerable.Range(fault.Target, seats.Count).Select(i => seats[i % seats.Count]).ToArray();
        // Prefers workers that train, then those that are ready: an idle worker has little to lose, and a starting one even less.
        var training = await Database.TrainingProcessesAsync();
        if (
            inTurn
                .Where(fits)
                .OrderByDescending(seat => training.Contains(seat.Worker.Id))
                .ThenByDescending(seat => seat.IsReady)
                .FirstOrDefault()
            is not { } seat
        )
            return false;
        await bringAbout(seat);
        return true;
    }

    private async Task OnServerAsync(Func<Task> act)
    {
        await databaseGate.WaitAsync();
        try
        {
            using (Api.DatabaseAway.Open())
                await act();
        }
        finally
        {
            databaseGate.Release();
        }
    }

    private static Task Signal(int? process, string signal) =>
        process is { } id ? TemperProcess.SignalAsync(id, signal) : Task.CompletedTask;

    private static async Task StallRunnerAsync(int? runner, TimeSpan time)
    {
        await Signal(runner, "STOP");
        await Task.Delay(time);
        if (Directory.Exists($"/proc/{runner}"))
            await Signal(runner, "CONT");
    }

    private static async Task CutAsync(TcpProxy proxy, TimeSpan time)
    {
        proxy.Cut();
        await Task.Delay(time);
        proxy.Mend();
    }
}
