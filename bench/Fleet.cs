namespace Temper.Bench;

/// <summary>An API and workers over one database, each a process of its own.</summary>
internal sealed class Fleet(string connectionString, string home, ApiProcess api) : IAsyncDisposable
{
    private readonly List<WorkerProcess> workers = [];

    /// <summary>A job that trains longer than any measurement takes, and that no waiting job comes before.</summary>
    public static object LongJob =>
        new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 5000,
            priority = 10,
        };

    /// <summary>A job of about a second.</summary>
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

    /// <param name="through">How it reaches the database; null for directly.</param>
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

    /// <summary>kill -9.</summary>
    /// <returns>When it was killed.</returns>
    public async Task<DateTimeOffset> KillAsync(WorkerProcess worker)
    {
        var killed = DateTimeOffset.UtcNow;
        await worker.KillAsync();
        workers.Remove(worker);
        return killed;
    }

    /// <returns>The job's id, once an optimizer step was made.</returns>
    public async Task<Guid> SubmitAndAwaitTrainingAsync(object spec)
    {
        var id = await api.SubmitAsync(spec);
        await Eventually.TrueAsync(async () => (await api.JobAsync(id))["trainingStartedAt"] is not null);
        return id;
    }

    /// <summary>Gives each worker, all of one slot, a job at the same time. After it every runner has read the data.</summary>
    public async Task WarmUpAsync()
    {
        var jobs = new List<Guid>();
        for (var i = 0; i < workers.Count; i++)
            jobs.Add(await SubmitAndAwaitTrainingAsync(LongJob));
        foreach (var job in jobs)
            await CancelAsync(job);
    }

    /// <returns>When the job was claimed for the second time.</returns>
    public async Task<DateTimeOffset> ClaimedAgainAsync(Guid job)
    {
        var again = await Eventually.ValueAsync(() => api.JobAsync(job), job => job["attempt"]!.GetValue<int>() == 2);
        return Time(again, "claimedAt");
    }

    /// <summary>Written with the database's clock, which is this machine's.</summary>
    public static DateTimeOffset Time(JsonNode job, string field) => job[field]!.GetValue<DateTimeOffset>();

    /// <returns>How many attempts the job has taken, once it has trained an epoch more than now.</returns>
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
