using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store.Queue;
using Temper.Worker;
using Temper.Worker.Supervisor;

namespace Temper.Bench;

/// <summary>
/// Workers of one slot each without the training: what is left of Slot is claim, record the success, and wait for the
/// doorbell or a second. Presence, doorbell, heartbeats and statements are those of production.
/// </summary>
internal sealed class ClaimLoops(NpgsqlDataSource database, string connectionString) : IAsyncDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1), HeartbeatInterval = TimeSpan.FromSeconds(1);

    private static readonly JobResult Result = new(0.9, 0.3, 0.05, 0.05, 1, "cpu", 2, "none", new string('0', 64), []);
    private static readonly TrainedModel Model = new(new byte[64], null);

    private readonly CancellationTokenSource ending = new();
    private readonly List<Task> loops = [];
    private readonly JobQueue queue = new(database);
    private readonly WorkerOptions options = new() { Home = ".", ConnectionString = connectionString };

    public required Action OnClaimed { get; init; }

    public required Action OnSucceeded { get; init; }

    /// <summary>None claims before all of them listen.</summary>
    public async Task StartAsync(int workers)
    {
        var ready = new List<(WorkerIdentity Worker, Doorbell Doorbell)>();
        for (var i = 0; i < workers; i++)
        {
            var (worker, doorbell) = (WorkerIdentity.Create("cpu", 1), new Doorbell());
            await queue.HeartbeatAsync(worker, [], suspendedReason: null, default);
            var listening = doorbell.NextRing;
            loops.Add(new Presence(worker, queue, doorbell, options, NullLogger.Instance) { OnStop = (_, _) => { } }.RunAsync(ending.Token));
            await listening;
            ready.Add((worker, doorbell));
        }
        loops.AddRange(ready.Select(one => WorkAsync(one.Worker, one.Doorbell, ending.Token)));
    }

    private async Task WorkAsync(WorkerIdentity worker, Doorbell doorbell, CancellationToken stopping)
    {
        ClaimedJob? held = null;
        var heartbeats = BeatAsync();
        try
        {
            while (true)
            {
                var ring = doorbell.NextRing;
                held = await queue.ClaimAsync(worker.Id, hasCuda: false, stopping);
                if (held is null)
                {
                    await Task.WhenAny(ring, Task.Delay(PollInterval, stopping));
                    continue;
                }
                OnClaimed();
                if (!await queue.SucceedAsync(held, Result, Model, CancellationToken.None)) throw new InvalidOperationException($"Job {held.Id} was taken away.");
                held = null;
                OnSucceeded();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await heartbeats;
        }

        async Task BeatAsync()
        {
            using var timer = new PeriodicTimer(HeartbeatInterval);
            while (!stopping.IsCancellationRequested)
            {
                await Task.WhenAny(timer.WaitForNextTickAsync(stopping).AsTask());
                await queue.HeartbeatAsync(worker, held is { } job ? [new HeldJob(job, null)] : [], suspendedReason: null, CancellationToken.None);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await Task.WhenAll(loops);
        ending.Dispose();
    }
}
