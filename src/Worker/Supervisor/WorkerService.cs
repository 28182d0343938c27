using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Studies;

namespace Temper.Worker.Supervisor;

/// <summary>The worker: registers itself, keeps its slots busy, and hands their jobs back when it is told to stop. It never loads libtorch.</summary>
internal sealed class WorkerService(NpgsqlDataSource database, WorkerOptions options, ILogger<WorkerService> log) : BackgroundService
{
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan RunnerRetryDelay = TimeSpan.FromSeconds(5);

    private readonly JobQueue queue = new(database);
    private readonly StudyQueue studies = new(database);
    private readonly Doorbell doorbell = new();
    private readonly Breaker breaker = new(options.BreakerJobs, options.ProbeInterval, TimeProvider.System);

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        try
        {
            await WorkAsync(stopping);
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            // The host stops; whoever watches this process must see that it did not end by itself.
            log.LogCritical(e, "The worker failed");
            Environment.ExitCode = 1;
            throw;
        }
    }

    private async Task WorkAsync(CancellationToken stopping)
    {
        await Migrator.MigrateWhenUpAsync(database, log, stopping);
        var first = await StartFirstRunnerAsync(stopping);
        var worker = WorkerIdentity.Create(first.Ready.HasCuda ? "cuda" : "cpu", options.Slots);
        var slots = Enumerable.Range(0, options.Slots)
            .Select(i => new Slot(i, worker, queue, studies, doorbell, breaker, options, log) { Runner = i == 0 ? first : null })
            .ToArray();
        var presence = new Presence(worker, queue, doorbell, options, log)
        {
            // A stale attempt at the same job stops as well: it has nothing to gain.
            OnStop = (id, request) =>
            {
                foreach (var slot in slots)
                    if (slot.Attempt is { } attempt && attempt.Job.Id == id) attempt.AskToStop(Reason(request));
            },
        };

        // Registered before the first claim, because jobs refer to the worker's row.
        await Patience.UntilDatabaseAnswersAsync(() => BeatAsync(worker, slots, stopping), log, stopping);
        log.LogInformation("Worker {Worker} is ready: slots {Slots}, device {Device}, {Threads} threads each, {Libraries}", worker.Name, options.Slots, worker.Device, options.ThreadsPerRunner, first.Ready.Libraries);
        if (first.Ready.NoKernels is { } reason && !first.Ready.HasCuda) log.LogWarning("Training is several times slower than it could be, because {Reason}", reason);

        // Heartbeats go on until the last slot has handed its job back, and presence until nothing is left to lose.
        using var slotsDone = new CancellationTokenSource();
        using var left = new CancellationTokenSource();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var heartbeats = OrEndAllAsync(HeartbeatAsync(worker, slots, slotsDone.Token), ending);
        var present = OrEndAllAsync(presence.RunAsync(left.Token), ending);
        await Task.WhenAll(slots.Select(slot => OrEndAllAsync(slot.RunAsync(ending.Token), ending)));
        await slotsDone.CancelAsync();
        await heartbeats;

        foreach (var slot in slots) await slot.DisposeAsync();
        await LeaveAsync(worker);
        await left.CancelAsync();
        await present;
    }

    /// <summary>It tells what this machine trains on. As long as none starts, the worker offers nothing and says why.</summary>
    private async Task<RunnerProcess> StartFirstRunnerAsync(CancellationToken stopping)
    {
        while (true)
        {
            try
            {
                return await RunnerProcess.StartAsync(0, options, log, stopping);
            }
            catch (RunnerFailedException e)
            {
                log.LogError("No runner starts, trying again: {Reason}", e.Message);
                await Task.Delay(RunnerRetryDelay, stopping);
            }
        }
    }

    /// <summary>A worker with one of its loops gone would look alive and do only half of its work.</summary>
    private static async Task OrEndAllAsync(Task loop, CancellationTokenSource ending)
    {
        try
        {
            await loop;
        }
        catch
        {
            await ending.CancelAsync();
            throw;
        }
    }

    private async Task HeartbeatAsync(WorkerIdentity worker, Slot[] slots, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(HeartbeatInterval);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await timer.WaitForNextTickAsync(stopping);
                await BeatAsync(worker, slots, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
            }
            catch (NpgsqlException e)
            {
                log.LogWarning("A heartbeat failed: {Reason}", e.Message);
            }
        }
    }

    private async Task BeatAsync(WorkerIdentity worker, Slot[] slots, CancellationToken stopping)
    {
        var attempts = slots.Select(slot => slot.Attempt).OfType<Attempt>().ToArray();
        var held = await queue.HeartbeatAsync(worker, [.. attempts.Select(a => new HeldJob(a.Job, a.Progress))], breaker.SuspendedReason, stopping,
            () => slots.Select(slot => slot.Attempt).OfType<Attempt>().Select(a => a.Job));
        foreach (var attempt in attempts)
        {
            // An attempt that ended during this call is missing too; by then nobody waits for its stop.
            if (!held.TryGetValue((attempt.Job.Id, attempt.Job.Attempt), out var request)) attempt.AskToStop(StopReason.Lost);
            else if (request is not null) attempt.AskToStop(Reason(request.Value));
        }
    }

    private static StopReason Reason(StopRequest request) => request == StopRequest.Pause ? StopReason.Paused : StopReason.Cancelled;

    private async Task LeaveAsync(WorkerIdentity worker)
    {
        try
        {
            await queue.LeaveAsync(worker.Id, CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            log.LogWarning("Left without saying so: {Reason}", e.Message);
        }
    }
}
