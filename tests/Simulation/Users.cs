namespace Temper.Simulation;

/// <summary>Users who submit jobs and may send a command about a job at any moment.</summary>
internal sealed class Users(World world)
{
    private static readonly Deed[] Verbs = [Deed.Cancel, Deed.Pause, Deed.Resume, Deed.Resume, Deed.Retry, Deed.Retry, Deed.Delete];

    private readonly Simulation simulation = world.Simulation;
    private readonly Process process = new(world.Simulation);
    private readonly List<Guid> jobs = [];
    private readonly bool areFickle = world.Simulation.Chance(0.5);
    private int toSubmit;
    private bool toResume;

    /// <summary>Whether the users have no further requests.</summary>
    public bool AreDone => toSubmit == 0 && !toResume && (!areFickle || world.FaultSchedule.IsOver);

    public void Start(int jobs)
    {
        toSubmit = jobs;
        for (var i = 0; i < jobs; i++)
            simulation.After(simulation.Between(0, i * 3 + 0.1), () => _ = SubmitAsync());
        toResume = simulation.Chance(0.2);
        if (toResume)
            _ = DrainWorkersAsync();
        if (areFickle)
            simulation.After(simulation.Between(0.1, 3), () => _ = ChangeTheirMindsAsync(simulation.Random.NextDouble(0.3, 4)));
    }

    private async Task SubmitAsync()
    {
        var id = world.AddJob(epochs: 1 + simulation.Random.NextInt32(4));
        jobs.Add(id);
        var maxAttempts = 1 + simulation.Random.NextInt32(3);
        var priority = simulation.Random.NextInt32(2);
        var stored = await new Call<bool>(
            world,
            process,
            null,
            new(Deed.Submit, Job: id),
            queue =>
            {
                queue.Submit(id, maxAttempts, priority, revision: maxAttempts == 2 ? World.LatestRevision : 1);
                return true;
            }
        ).Send();
        toSubmit--;
        if (stored.Came)
            world.InvariantChecker.Acknowledge(id);
    }

    /// <summary>Drains workers and resumes them, and in the end resumes every worker.</summary>
    private async Task DrainWorkersAsync()
    {
        while (!world.FaultSchedule.IsOver)
        {
            await process.Delay(simulation.Between(0, 6));
            var worker = world.Workers[simulation.Random.NextInt32(world.Workers.Count)];
            await AskAsync(worker, simulation.Chance(0.5));
        }
        while (!world.FaultSchedule.NothingIsUnderWay) // a late drain would come after the resumption
            await process.Delay(TimeSpan.FromSeconds(1));
        foreach (var worker in world.Workers.ToArray())
            await AskAsync(worker, drain: false);
        toResume = false;
    }

    private async Task AskAsync(SimulatedWorker worker, bool drain)
    {
        var answer = await new Call<bool>(
            world,
            process,
            null,
            new(drain ? Deed.Drain : Deed.Undrain, worker.Id),
            queue => drain ? queue.DrainWorker(worker.Id) : queue.ResumeWorker(worker.Id)
        ).Send();
        if (drain && answer is { Came: true, Value: true })
            world.InvariantChecker.Drained(worker.Id);
    }

    private async Task ChangeTheirMindsAsync(double gapSeconds)
    {
        while (!world.FaultSchedule.IsOver)
        {
            if (jobs.Count > 0)
            {
                var (job, deed, fresh) = (
                    jobs[simulation.Random.NextInt32(jobs.Count)],
                    Verbs[simulation.Random.NextInt32(Verbs.Length)],
                    simulation.Chance(0.5)
                );
                await new Call<bool>(
                    world,
                    process,
                    null,
                    new(deed, Job: job, Fresh: fresh),
                    queue =>
                        deed switch
                        {
                            Deed.Cancel => queue.Cancel(job),
                            Deed.Pause => queue.Pause(job),
                            Deed.Resume => queue.Resume(job),
                            Deed.Retry => queue.Retry(job, fresh),
                            _ => queue.Delete(job),
                        }
                ).Send();
            }
            await process.Delay(simulation.Between(0, 2 * gapSeconds));
        }
    }
}
