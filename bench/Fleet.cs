namespace Temper.Bench;

/// <summary>An API and workers over one database, each a process of its own.</summary>
internal sealed class Fleet(string connectionString, string home, ApiProcess api) : IAsyncDisposable
{
    private readonly List<WorkerProcess> workers = [];

    /// <summary>A job that trains longer than any measurement takes.</summary>
    public static object LongJob => new { dataset = "digits", epsilon = 0.1, epochs = 5000 };

    /// <summary>A job of about a second.</summary>
    public static object ShortJob => new { dataset = "digits", epsilon = 0.1, epochs = 1 };

    public ApiProcess Api => api;

    public IReadOnlyList<WorkerProcess> Workers => workers;

    public static async Task<Fleet> StartAsync(string connectionString, string home, int workers = 0)
    {
        var fleet = new Fleet(connectionString, home, await ApiProcess.StartAsync(connectionString));
        for (var i = 0; i < workers; i++) await fleet.AddWorkerAsync();
        return fleet;
    }

    /// <param name="through">How it reaches the database; null for directly.</param>
    public async Task<WorkerProcess> AddWorkerAsync(string? through = null, params (string Name, string Value)[] environment)
    {
        var variables = new Dictionary<string, string?> { ["Worker__Threads"] = "1" };
        foreach (var (name, value) in environment) variables[name] = value;
        var worker = await WorkerProcess.StartAsync(through ?? connectionString, home, variables);
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

    public async Task CancelAsync(Guid job)
    {
        using var _ = await api.Http.PostAsync($"/jobs/{job}/cancel", null);
        await api.FinishedJobAsync(job, TimeSpan.FromSeconds(30));
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(workers.Select(worker => worker.DisposeAsync().AsTask()));
        await api.DisposeAsync();
    }
}
