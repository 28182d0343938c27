using System.Diagnostics;
using Temper.Store.Keys;

namespace Temper.Api.Access;

/// <summary>
/// Writes when keys were last used: at most once a minute for each key, many keys in one statement, apart from the requests.
/// </summary>
internal sealed class KeyUse(KeyStore store, ILogger<KeyUse> log) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1),
        Every = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly SemaphoreSlim work = new(0);
    private readonly Dictionary<Guid, long> notedAt = [];
    private List<Guid> due = [];

    public void Note(Guid key)
    {
        lock (gate)
        {
            if (notedAt.TryGetValue(key, out var last) && Stopwatch.GetElapsedTime(last) < Every)
                return;
            notedAt[key] = Stopwatch.GetTimestamp();
            due.Add(key);
            if (due.Count == 1)
                work.Release();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        while (true)
        {
            await work.WaitAsync(stopping);
            await Task.Delay(Pause, stopping); // other keys join
            try
            {
                await store.TouchAsync(Take(), stopping);
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                log.LogWarning("The last use of keys was not stored: {Reason}", e.Message);
            }
        }
    }

    private List<Guid> Take()
    {
        lock (gate)
        {
            var taken = due;
            due = [];
            return taken;
        }
    }
}
