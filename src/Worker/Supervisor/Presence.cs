using System.Diagnostics;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Worker.Instruments;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>
/// Keeps the worker's dedicated database connection. On it, the worker holds the presence lock, receives notices, and watches
/// for lost workers; all three need one session that lives as long as the worker does.
/// </summary>
internal sealed class Presence(WorkerIdentity worker, JobQueue queue, JobNotifier notifier, WorkerOptions options, ILogger log)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    // With these settings both ends notice within about 8 s that the other is gone.
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

    /// <summary>Called with the id of a running job that its user wants to stop, and whether to pause or cancel it.</summary>
    public required Action<Guid, StopRequest> OnStop { get; init; }

    /// <summary>Called after this worker took jobs from a lost worker.</summary>
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
        notifier.Notify(); // jobs may have been submitted before LISTEN

        var (present, lost) = (false, new LostWorkers(worker.Id, options.Lease));
        while (true)
        {
            // After a reconnect the old session may still hold the lock for a moment; it also shows that this worker is present.
            present = present || await JobQueue.TryTakePresenceAsync(connection, worker, stopping);
            var judged = lost.Judge(await JobQueue.WatchAsync(connection, worker.Id, stopping));
            try
            {
                foreach (var (sighting, reason) in judged)
                    await RescueAsync(sighting, reason, stopping);
            }
            catch (NpgsqlException e)
            {
                // The rescue uses another connection, so this one keeps the presence lock. The next check tries again.
                log.LogWarning("A rescue failed: {Reason}", e.Message);
            }
            await ListenForAsync(connection, Tick, stopping);
        }
    }

    /// <summary>Receives notices for this time. Each notice ends one wait, so the loop waits again.</summary>
    private static async Task ListenForAsync(NpgsqlConnection connection, TimeSpan time, CancellationToken stopping)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            // Round up to whole milliseconds: Npgsql drops fractions, and waits without end for 0.
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
        WorkerMeter.Attempts.Add(rescued.Count, WorkerMeter.Outcome(WorkerMeter.Lost));
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
