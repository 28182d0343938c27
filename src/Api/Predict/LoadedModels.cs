using Temper.Api.Calibration;
using Temper.Store;

namespace Temper.Api.Predict;

/// <summary>
/// Keeps models in memory between requests. When the next one would exceed the bound, those that were used least recently go.
/// Models are loaded one after another, so many requests for a model load it once.
/// </summary>
internal sealed class LoadedModels(StoredModels stored, IConfiguration configuration, ILogger<LoadedModels> logger) : IDisposable
{
    private const int Default = 512,
        Smallest = 500;

    private readonly SemaphoreSlim loading = new(1);
    private readonly Lock gate = new();

    /// <summary>The least recently used come first.</summary>
    private readonly List<Entry> entries = [];

    /// <summary>
    /// Setting `Api:ModelMegabytes`: memory for loaded models in MiB, 500 to 1048576; default 512. The largest model that can be
    /// trained takes less than 500.
    /// </summary>
    public long MostBytes { get; } =
        configuration.GetValue("Api:ModelMegabytes", Default) is >= Smallest and <= 1 << 20 and var megabytes
            ? (long)megabytes << 20
            : throw new InvalidOperationException($"Api:ModelMegabytes must be from {Smallest} to {1 << 20}.");

    /// <returns>The job's model, to dispose after use; null when it was not kept, or models in use leave no room for it.</returns>
    public async Task<(ModelInUse? Model, bool HasNoRoom)> TakeAsync(TemperDb db, Guid job, CancellationToken cancellation)
    {
        if (TakeLoaded(job) is { } ready)
            return (ready, false);
        await loading.WaitAsync(cancellation);
        try
        {
            if (TakeLoaded(job) is { } loadedMeanwhile)
                return (loadedMeanwhile, false);
            if (await ExportedModel.FindAsync(db, stored, job, cancellation) is not { } exported)
                return (null, false);
            var bytes = LoadedModel.BytesOf(exported);
            if (!MakeRoom(bytes))
                return (null, true);
            var entry = new Entry(job, bytes, await LoadedModel.LoadAsync(exported, cancellation));
            lock (gate)
                entries.Add(entry);
            logger.LogInformation("Loaded the model of job {JobId}, about {MiB} MiB", job, bytes >> 20);
            return (Take(entry), false);
        }
        finally
        {
            loading.Release();
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            foreach (var entry in entries.Where(entry => entry.Users == 0))
                entry.Model.Dispose();
            entries.Clear();
        }
        loading.Dispose();
    }

    private ModelInUse? TakeLoaded(Guid job)
    {
        lock (gate)
            return entries.Find(entry => entry.Job == job) is { } entry ? Take(entry) : null;
    }

    private ModelInUse Take(Entry entry)
    {
        lock (gate)
        {
            entries.Remove(entry);
            entries.Add(entry);
            entry.Users++;
            return new(entry.Model, () => GiveBack(entry));
        }
    }

    private void GiveBack(Entry entry)
    {
        lock (gate)
            entry.Users--;
    }

    /// <summary>Removes models that nobody uses until the others and the next one fit.</summary>
    private bool MakeRoom(long bytes)
    {
        lock (gate)
        {
            while (entries.Sum(entry => entry.Bytes) + bytes > MostBytes)
            {
                if (entries.Find(entry => entry.Users == 0) is not { } oldest)
                    return false;
                entries.Remove(oldest);
                oldest.Model.Dispose();
            }
            return true;
        }
    }

    private sealed record Entry(Guid Job, long Bytes, LoadedModel Model)
    {
        public int Users { get; set; }
    }
}

/// <summary>A model that stays loaded until this is disposed.</summary>
internal sealed class ModelInUse(LoadedModel model, Action giveBack) : IDisposable
{
    public LoadedModel Model => model;

    public void Dispose() => giveBack();
}
