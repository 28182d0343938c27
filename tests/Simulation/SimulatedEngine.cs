namespace Temper.Simulation;

/// <summary>
/// Simulates src/Worker/Engine and Hangfire's worker threads: what they fetch, begin, and write to Hangfire's tables.
/// </summary>
internal sealed class SimulatedEngine
{
    private const int MostTries = 10;

    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1),
        SweepInterval = TimeSpan.FromSeconds(5),
        LongestRetryDelay = TimeSpan.FromSeconds(30);

    private readonly SimulatedWorker worker;
    private readonly World world;
    private readonly Simulation simulation;
    private readonly List<SimulatedSlot> free;
    private readonly List<SimulatedFetch> fetched = [];
    private readonly Signal returned;
    private int servers,
        refusals;

    public SimulatedEngine(SimulatedWorker worker)
    {
        (this.worker, world, simulation, returned) = (worker, worker.World, worker.Simulation, new(worker));
        free = [.. worker.Slots];
    }

    /// <summary>Returns when the worker is stopping and every slot is free.</summary>
    public async Task RunAsync()
    {
        _ = SweepAsync();
        StartServer();
        while (!worker.IsStopping || free.Count < worker.Slots.Count)
            await returned.WaitAsync(PollInterval);
    }

    /// <summary>Hangfire considers its server dead and starts another beside the trainings of the old one.</summary>
    public void Restart()
    {
        servers++;
        worker.RestartedServer(fetched);
        if (!worker.IsStopping)
            StartServer();
    }

    /// <summary>Hangfire runs again a job that it ran before, because an operator requeued it.</summary>
    public void HandOverAgain(Guid job, int attempt)
    {
        if (fetched.Find(one => one.Attempt.Id == job && one.Attempt.Number == attempt) is { } fetch && worker.Begins(fetch))
            _ = BeginAsync(fetch);
    }

    public IEnumerable<SimulatedAttempt> Fetched => fetched.Select(fetch => fetch.Attempt);

    private void StartServer()
    {
        for (var i = 0; i < 2 * worker.Slots.Count; i++)
            _ = WorkAsync(servers);
    }

    /// <summary>One of Hangfire's threads, which calls Worker.Execute in a loop.</summary>
    private async Task WorkAsync(int server)
    {
        bool IsStopping() => worker.IsStopping || server != servers;
        while (!IsStopping())
        {
            if (await FetchAsync(IsStopping) is not { } fetch)
                continue;
            if (!IsStopping() && await TellAsync(fetch, EngineState.Processing) && worker.Begins(fetch))
            {
                await BeginAsync(fetch);
                for (var tries = 0; tries < MostTries && server == servers && !await TellAsync(fetch, EngineState.Over); tries++)
                    await worker.Delay(TimeSpan.FromSeconds(tries));
            }
            await DisposeAsync(fetch);
        }
    }

    private async Task BeginAsync(SimulatedFetch fetch)
    {
        fetch.IsBegun = true;
        await fetch.Slot.CarryOutAsync(fetch.Attempt);
        End(fetch);
    }

    /// <summary>Simulates ClaimingQueue.Dequeue.</summary>
    private async Task<SimulatedFetch?> FetchAsync(Func<bool> isStopping)
    {
        while (free.Count == 0)
        {
            await returned.WaitAsync(PollInterval);
            if (isStopping())
                return null;
        }
        var slot = free[0];
        free.RemoveAt(0);
        while (!isStopping())
        {
            var claim = await worker.ClaimAsync();
            // A stop cancels a claim in progress, and the worker does not learn whether the claim took effect.
            if (isStopping() && simulation.Chance(0.5))
                break;
            if (!claim.Came)
                await worker.StopSignal.WaitAsync(SimulatedWorker.RetryDelay);
            else if (claim.Value is { } job)
            {
                worker.Notifier.RaiseOne();
                var attempt = slot.Attempt = new(worker, job.Id, job.Attempt);
                var fetch = new SimulatedFetch(slot, attempt);
                if (await TellAsync(fetch, EngineState.Enqueued))
                {
                    refusals = 0;
                    fetched.Add(fetch);
                    return fetch;
                }
                refusals++;
                await slot.HandBackAsync(attempt, "Hangfire's tables refused it");
                await worker.StopSignal.WaitAsync(
                    TimeSpan.FromSeconds(Math.Min(Math.Pow(2, refusals - 1), LongestRetryDelay.TotalSeconds))
                );
            }
            else
                await worker.Notifier.WaitAsync(PollInterval);
        }
        Return(slot);
        return null;
    }

    private async Task DisposeAsync(SimulatedFetch fetch)
    {
        if (worker.GoesBack(fetch))
        {
            fetch.IsBegun = true;
            await fetch.Slot.HandBackAsync(fetch.Attempt, "Hangfire did not start it");
            End(fetch);
        }
        else if (worker.FreesSlotAtDisposal)
        {
            End(fetch);
        }
    }

    private void End(SimulatedFetch fetch)
    {
        fetched.Remove(fetch);
        Return(fetch.Slot);
    }

    private void Return(SimulatedSlot slot)
    {
        free.Add(slot);
        returned.Raise();
    }

    /// <summary>Sets the state of the attempt's job in Hangfire's tables.</summary>
    private async Task<bool> TellAsync(SimulatedFetch fetch, EngineState state)
    {
        var key = (fetch.Attempt.Id, fetch.Attempt.Number);
        return (
            await worker.Ask(state == EngineState.Over ? Deed.TellOver : Deed.Tell, _ => world.Server.Engine.Set(key, state), key)
        ).Came;
    }

    /// <summary>Simulates AttemptSweep.cs.</summary>
    private async Task SweepAsync()
    {
        while (!worker.IsStopping)
        {
            await worker.StopSignal.WaitAsync(SweepInterval);
            var processing = await worker.Ask(Deed.Watch, _ => world.Server.Engine.Processing());
            if (!processing.Came)
                continue;
            var ended = await worker.Ask(
                Deed.Watch,
                queue => processing.Value!.Where(one => worker.IsOver(queue, one.Job, one.Attempt)).ToArray()
            );
            if (!ended.Came)
                continue;
            foreach (var one in ended.Value!)
                await worker.Ask(Deed.Sweep, _ => world.Server.Engine.Set(one, EngineState.Over), one);
        }
    }
}

/// <summary>Simulates FetchedAttempt.cs.</summary>
internal sealed class SimulatedFetch(SimulatedSlot slot, SimulatedAttempt attempt)
{
    public SimulatedSlot Slot => slot;

    public SimulatedAttempt Attempt => attempt;

    public bool IsBegun { get; set; }
}

internal enum EngineState
{
    Enqueued,
    Processing,
    Over,
}

/// <summary>Hangfire's tables: the state of each attempt's job. A state never goes back.</summary>
internal sealed class EngineTables
{
    private readonly Dictionary<(Guid Job, int Attempt), EngineState> jobs = [];

    /// <summary>Hangfire's tables refuse writes while the jobs table accepts them.</summary>
    public bool Refuse { get; set; }

    public bool Set((Guid, int) attempt, EngineState state)
    {
        if (jobs.TryGetValue(attempt, out var now) && now > state)
            return false;
        jobs[attempt] = state;
        return true;
    }

    public (Guid Job, int Attempt)[] Processing() => [.. jobs.Where(job => job.Value == EngineState.Processing).Select(job => job.Key)];
}
