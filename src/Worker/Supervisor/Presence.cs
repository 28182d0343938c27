using System.Diagnostics;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>
/// The worker's connection of its own. It holds the presence lock, hears notices, and watches for workers that are lost:
/// all three want one session that lives as long as the worker does.
/// </summary>
internal sealed class Presence(WorkerIdentity worker, JobQueue queue, JobNotifier notifier, WorkerOptions options, ILogger log)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    // A peer that vanished without a word is noticed within about 8 s, on both ends.
    private readonly string connectionString = new NpgsqlConnectionStringBuilder(Database.WithTimeout(options.ConnectionString!))
    {
        Pooling = false,
        TcpKeepAlive = true,
        TcpKeepAliveTime = 5,
        TcpKeepAliveInterval = 1,
        Options =
            $"{new NpgsqlConnectionStringBuilder(options.ConnectionString).Options} -c tcp_keepalives_idle=5 -c "
            + "tcp_keepalives_interval=1 -c tcp_keepalives_count=3",
    }.ToString();

    /// <summary>Called with the id of a running job that its user wants stopped, and how.</summary>
    public required Action<Guid, StopRequest> OnStop { get; init; }

    /// <summary>Called when jobs were taken from a lost worker.</summary>
    public Action OnRescue { private get; init; } = () => { };

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await HoldAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested) { }
            catch (NpgsqlException e)
            {
                log.LogWarning("The presence connection broke, making a new one: {Reason}", e.Message);
                await Task.WhenAny(Task.Delay(Tick, stopping));
            }
        }
    }

    private async Task HoldAsync(CancellationToken stopping)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        connection.Notification += (_, notice) => Hear(notice.Payload);
        await connection.OpenAsync(stopping);
        await using (var listen = new NpgsqlCommand($"LISTEN {JobQueue.Channel}", connection))
            await listen.ExecuteNonQueryAsync(stopping);
        notifier.Notify(); // for what was submitted while nobody listened

        var (present, lost) = (false, new LostWorkers(worker.Id, options.Lease));
        while (true)
        {
            // After a reconnect the old session may still hold the lock for a moment; it tells the same.
            present = present || await JobQueue.TryTakePresenceAsync(connection, worker, stopping);
            var judged = lost.Judge(await JobQueue.WatchAsync(connection, worker.Id, stopping));
            try
            {
                foreach (var (sighting, reason) in judged)
                    await RescueAsync(sighting, reason, stopping);
            }
            catch (NpgsqlException e)
            {
                // On another connection: this one, and with it the presence, stays. The next look tries again.
                log.LogWarning("A rescue failed: {Reason}", e.Message);
            }
            await ListenForAsync(connection, Tick, stopping);
        }
    }

    /// <summary>Notices arrive while it waits; each ends a wait, not the listening.</summary>
    private static async Task ListenForAsync(NpgsqlConnection connection, TimeSpan time, CancellationToken stopping)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            // In whole milliseconds, rounded up: Npgsql drops fractions, and takes a wait of 0 for one without end.
            var left = (int)Math.Ceiling((time - Stopwatch.GetElapsedTime(start)).TotalMilliseconds);
            if (left <= 0)
                return;
            await connection.WaitAsync(left, stopping);
        }
    }

    private async Task RescueAsync(WorkerSighting sighting, string reason, CancellationToken stopping)
    {
        var rescued = await queue.RescueAsync(sighting, reason, stopping);
        if (rescued.Count == 0)
            return;
        log.LogWarning("Took {Jobs} from worker {Worker}: {Reason}", string.Join(", ", rescued), sighting.Worker, reason);
        OnRescue();
    }

    private void Hear(string notice)
    {
        if (notice == JobQueue.QueuedNotice)
            notifier.Notify();
        else if (JobQueue.IsStopNotice(notice, out var job, out var request))
            OnStop(job, request);
    }
}
