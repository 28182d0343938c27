namespace Temper.Simulation;

/// <summary>src/Worker/Engine, and of Hangfire its worker threads: what they take out, begin, and tell Hangfire's tables.</summary>
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

    /// <summary>Returns when the worker stops and every slot has come back.</summary>
    public async Task RunAsync()
    {
        _ = SweepAsync();
        StartServer();
        while (!worker.IsStopping || free.Count < worker.Slots.Count)
            await returned.WaitAsync(PollInterval);
    }

    /// <summary>Hangfire took its server for gone, and starts another beside the trainings of the old.</summary>
    public void Restart()
    {
        servers++;
        worker.RestartedServer(fetched);
        if (!worker.IsStopping)
            StartServer();
    }

    /// <summary>Hangfire runs a job that it ran before: an operator put it back.</summary>
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

    /// <summary>A thread of Hangfire's, Worker.Execute again and again.</summary>
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

    /// <summary>ClaimingQueue.Dequeue</summary>
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
            var seen = worker.Notifier.Count;
            var claim = await worker.ClaimAsync();
            // A stop breaks off a claim under way, and nobody hears whether it was too late for that.
            if (isStopping() && simulation.Chance(0.5))
                break;
            if (!claim.Came)
                await worker.StopSignal.WaitAsync(SimulatedWorker.RetryDelay);
            else if (claim.Value is { } job)
            {
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
            else if (seen == worker.Notifier.Count)
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

    /// <summary>Sets the state of the attempt's job in Hangfire's tables, from the state before.</summary>
    private async Task<bool> TellAsync(SimulatedFetch fetch, EngineState state)
    {
        var key = (fetch.Attempt.Id, fetch.Attempt.Number);
        return (
            await worker.Ask(state == EngineState.Over ? Deed.TellOver : Deed.Tell, _ => world.Server.Engine.Set(key, state), key)
        ).Came;
    }

    /// <summary>AttemptSweep.cs</summary>
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

/// <summary>FetchedAttempt.cs</summary>
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

    /// <summary>They refuse what the jobs table takes.</summary>
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
