namespace Temper.Bench;

/// <summary>An API and workers on one database, each in its own process.</summary>
internal sealed class Fleet(string connectionString, string home, ApiProcess api) : IAsyncDisposable
{
    private readonly List<WorkerProcess> workers = [];

    /// <summary>A job that trains longer than any measurement takes and has priority over all waiting jobs.</summary>
    public static object LongJob =>
        new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 5000,
            priority = 10,
        };

    /// <summary>A job that trains for about a second.</summary>
    public static object ShortJob =>
        new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 1,
        };

    public ApiProcess Api => api;

    public static async Task<Fleet> StartAsync(string connectionString, string home, int workers = 0)
    {
        var fleet = new Fleet(connectionString, home, await ApiProcess.StartAsync(connectionString));
        for (var i = 0; i < workers; i++)
            await fleet.AddWorkerAsync();
        return fleet;
    }

    /// <param name="through">The connection string of the worker's way to the database; null for the direct one.</param>
    public async Task<WorkerProcess> AddWorkerAsync(string? through = null, params (string Name, string Value)[] environment)
    {
        var worker = await WorkerProcess.StartOfOneThreadAsync(through ?? connectionString, home, environment);
        workers.Add(worker);
        return worker;
    }

    public async Task<WorkerProcess> OwnerAsync(Guid job)
    {
        var name = (await api.JobAsync(job))["worker"]!.GetValue<string>();
        return workers.Single(worker => name.EndsWith($":{worker.Id}", StringComparison.Ordinal));
    }

    /// <summary>Kills a worker with SIGKILL.</summary>
    /// <returns>The time of the kill.</returns>
    public async Task<DateTimeOffset> KillAsync(WorkerProcess worker)
    {
        var killed = DateTimeOffset.UtcNow;
        await worker.KillAsync();
        workers.Remove(worker);
        return killed;
    }

    /// <returns>The job's id, after its first optimizer step.</returns>
    public async Task<Guid> SubmitAndAwaitTrainingAsync(object spec)
    {
        var id = await api.SubmitAsync(spec);
        await Eventually.TrueAsync(async () => (await api.JobAsync(id))["trainingStartedAt"] is not null);
        return id;
    }

    /// <summary>
    /// Gives each worker a job at the same time; each worker has one slot. Afterwards every runner has read the data.
    /// </summary>
    public async Task WarmUpAsync()
    {
        var jobs = new List<Guid>();
        for (var i = 0; i < workers.Count; i++)
            jobs.Add(await SubmitAndAwaitTrainingAsync(LongJob));
        foreach (var job in jobs)
            await CancelAsync(job);
    }

    /// <returns>The time of the job's second claim.</returns>
    public async Task<DateTimeOffset> ClaimedAgainAsync(Guid job)
    {
        var again = await Eventually.ValueAsync(() => api.JobAsync(job), job => job["attempt"]!.GetValue<int>() == 2);
        return Time(again, "claimedAt");
    }

    /// <summary>A time from the database's clock, which is this machine's clock.</summary>
    public static DateTimeOffset Time(JsonNode job, string field) => job[field]!.GetValue<DateTimeOffset>();

    /// <returns>The number of the job's attempts, after it has trained another epoch.</returns>
    public async Task<int> AttemptsOnceItGoesOnAsync(Guid job)
    {
        var epochs = await EpochsAsync(job);
        await Eventually.TrueAsync(async () => (await EpochsAsync(job)).Length > epochs.Length, TimeSpan.FromSeconds(60));
        return (await api.JobAsync(job))["attempt"]!.GetValue<int>();
    }

    /// <returns>The numbers of the epochs that the job has reported.</returns>
    public async Task<int[]> EpochsAsync(Guid job) =>
        [.. (await api.GetAsync($"/jobs/{job}/metrics"))["items"]!.AsArray().Select(epoch => epoch!["epoch"]!.GetValue<int>())];

    /// <returns>The job, cancelled.</returns>
    public async Task<JsonNode> CancelAsync(Guid job)
    {
        using var response = await api.Http.PostAsync($"/jobs/{job}/cancel", null);
        response.EnsureSuccessStatusCode();
        return await api.FinishedJobAsync(job, TimeSpan.FromSeconds(30));
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(workers.Select(worker => worker.DisposeAsync().AsTask()));
        await api.DisposeAsync();
    }
}
