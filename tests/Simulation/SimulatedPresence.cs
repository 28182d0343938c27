using Temper.Store.Queue;

namespace Temper.Simulation;

/// <summary>Simulates Presence.cs: holds the presence lock on its own connection and watches for lost workers.</summary>
internal sealed class SimulatedPresence(SimulatedWorker worker)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    private readonly World world = worker.World;

    /// <summary>The connection; null while there is none.</summary>
    public Session? Session { get; private set; }

    public async Task RunAsync()
    {
        while (worker.StaysPresent)
        {
            if (await OpenAsync() is { } session)
            {
                Session = session;
                worker.Notifier.RaiseOne(); // a job may have been submitted while this worker did not listen
                await HoldAsync(session);
                Session = null;
                if (worker.StaysPresent)
                    world.FaultInjector.Break(session);
                else
                    world.Server.Close(session);
            }
            await worker.StopSignal.WaitAsync(Tick);
        }
    }

    /// <summary>A connection counts as open after its first answer.</summary>
    private async Task<Session?> OpenAsync()
    {
        var opened = await worker.Ask(Deed.Watch, _ => world.Server.Open(worker));
        if (!opened.Came && opened.Value is { } halfOpen)
            world.FaultInjector.Break(halfOpen);
        return opened.Came ? opened.Value : null;
    }

    /// <summary>Returns when this connection or that of a rescue breaks; the caller then starts anew.</summary>
    private async Task HoldAsync(Session session)
    {
        var (present, lost, forgotten) = (false, worker.NewWatch(), worker.Simulation.Now);
        while (worker.StaysPresent)
        {
            if (!present)
            {
                var taken = await worker.Ask(Deed.Lock, _ => world.Server.TryLock(worker.Id, session), session: session);
                if (!taken.Came)
                    return;
                worker.Health.WasPresent |= present = taken.Value;
            }
            var sightings = await worker.Ask(Deed.Watch, queue => worker.Watch(queue, session), session: session);
            if (!sightings.Came)
                return;
            foreach (var (sighting, reason) in worker.Judge(lost, sightings.Value!))
                if (!(await RescueAsync(sighting, reason)).Came)
                    return;
            if (worker.Simulation.Now - forgotten > World.ForgetInterval)
            {
                if (!(await worker.Ask(Deed.Forget, queue => queue.ForgetDeadWorkers())).Came)
                    return;
                forgotten = worker.Simulation.Now;
            }
            await worker.StopSignal.WaitAsync(Tick);
        }
    }

    private Call<IReadOnlyList<Guid>> RescueAsync(WorkerSighting lost, string reason) =>
        new Call<IReadOnlyList<Guid>>(
            world,
            worker,
            null,
            new(Deed.Rescue, lost.Worker, Sighting: lost),
            queue => queue.Rescue(lost, reason)
        ).Send();
}
