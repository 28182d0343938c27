using Hangfire;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Datasets;
using Temper.Store.Engine;
using Temper.Store.Notifications;
using Temper.Store.Queue;
using Temper.Store.Retention;
using Temper.Worker.Engine;
using Temper.Worker.Instruments;
using Temper.Worker.Notifications;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>
/// The worker: it registers itself, runs Hangfire's server over its slots, and hands their jobs back when it is told to
/// stop. It never loads libtorch.
/// </summary>
internal sealed class WorkerService(
    NpgsqlDataSource database,
    WorkerOptions options,
    RetentionOptions retention,
    NotificationOptions notifications,
    ILoggerFactory loggers,
    ILogger<WorkerService> log
) : BackgroundService
{
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan SampleInterval = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan RunnerRetryDelay = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RecurringJobsInterval = TimeSpan.FromMinutes(5),
        HangfireGrace = TimeSpan.FromSeconds(2);

    private readonly JobQueue queue = new(database);

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        try
        {
            await WorkAsync(stopping);
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            // The host stops. The exit code must show whoever supervises this process that the worker failed.
            log.LogCritical(e is NewerBuildException ? null : e, "The worker failed: {Reason}", e.Message);
            Environment.ExitCode = 1;
            throw;
        }
    }

    private async Task WorkAsync(CancellationToken stopping)
    {
        var devices = await SlotDevices.FindAsync(options, log, stopping);
        // Start the runner first: it loads libtorch while the worker waits for the database and migrates it.
        var starting = StartFirstRunnerAsync(devices, stopping);
        await Migrator.MigrateWhenUpAsync(database, log, stopping);
        var (firstSlot, first) = await starting;
        var worker = WorkerIdentity.Create(first.Ready.HasCuda ? "cuda" : "cpu", devices.Slots);
        JobStorage? storage = null;
        JobEnds? ends = null;
        using var notifier = new JobNotifier();
        var uploads = new UploadedFiles(new DatasetContents(database), options, log);
        uploads.DeleteUnused();
        await using var slots = new SlotPool(
            Enumerable
                .Range(0, devices.Slots)
                // Every runner must see what the first one sees, or the worker's row would not tell what it trains on.
                .Select(i => new Slot(devices.Place(i, options, first.Ready.HasCuda), devices.Of(i), worker, queue, uploads, options, log)
                {
                    Runner = i == firstSlot ? first : null,
                    OnAttemptEnded = job => ends!.Ended(job),
                })
        );
        WorkerMeter.Begin();
        WorkerMeter.Observe(slots.Rates, () => devices.Describe(slots), options.Home);
        var claims = new ClaimingQueue(database, slots, notifier, log) { Storage = () => storage! };
        storage = EngineStorage.Open(
            options.ConnectionString!,
            claims,
            EngineServer.Connections(devices.Slots),
            EngineServer.CommandSeconds
        );
        ends = new(storage, notifies: notifications.Allowed.Count > 0, log);
        using var posting = new Posting(notifications);
        var sweep = new AttemptSweep(queue, worker, log);
        var presence = new Presence(worker, queue, notifier, options, log)
        {
            // This also stops a stale attempt at the same job, whose result nobody would store.
            OnStop = (id, request) =>
            {
                foreach (var attempt in slots.Attempts)
                    if (attempt.Job.Id == id)
                        attempt.AskToStop(Reason(request));
            },
            OnRescue = sweep.Wake,
        };

        // Register the worker before the first claim, because jobs refer to its row.
        await DatabaseRetry.Create(log).ExecuteAsync(async cancellation => await BeatAsync(worker, slots, devices, cancellation), stopping);
        log.LogInformation(
            "Worker {Worker} is ready: slots {Slots}, device {Device}, {Threads} threads each, {Libraries}",
            worker.Name,
            devices.Slots,
            worker.Device,
            options.ThreadsPerRunner(devices.Slots),
            first.Ready.Libraries
        );
        if (!first.Ready.HasCuda && devices.All.Any(device => device.Card is not null))
            log.LogWarning("There are cards, but libtorch sees none: jobs train on the CPU");
        if (first.Ready.NoKernels is { } reason && !first.Ready.HasCuda)
            log.LogWarning("Training is several times slower than it could be, because {Reason}", reason);

        // Heartbeats go on until the last slot has handed its job back, and presence until the worker has left.
        using var slotsDone = new CancellationTokenSource();
        using var left = new CancellationTokenSource();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var heartbeats = OrEndAllAsync(HeartbeatAsync(worker, slots, devices, slotsDone.Token), ending);
        var sampled = OrEndAllAsync(devices.WatchAsync(SampleInterval, slotsDone.Token), ending);
        var present = OrEndAllAsync(presence.RunAsync(left.Token), ending);
        var schema = OrEndAllAsync(Migrator.WatchAsync(database, ending.Token), ending);
        EngineServer.Configure(loggers);
        var server = EngineServer.Start(
            storage,
            worker,
            new TrainingJob(claims, queue, ending.Token),
            new Housekeeping(database, retention, log),
            new Notifying(storage, new NotificationQueue(database), notifications, posting, log),
            sweep,
            log
        );
        _ = AddRecurringJobsAsync(storage, ending.Token);
        await Task.WhenAny(Task.Delay(Timeout.Infinite, ending.Token));
        server.SendStop();
        await slots.DrainAsync();
        await slotsDone.CancelAsync();
        await heartbeats;
        await sampled;
        await LeaveAsync(worker);
        await left.CancelAsync();
        await present;

        // No job depends on the rest, and a wait for one of Hangfire's locks cannot be cancelled, so limit the time.
        using var enough = new CancellationTokenSource(HangfireGrace);
        try
        {
            await ends.FlushAsync().WaitAsync(enough.Token);
            await server.WaitForShutdownAsync(enough.Token);
            server.Dispose();
        }
        catch (OperationCanceledException)
        {
            log.LogWarning("Hangfire's server did not end within {Seconds} s", HangfireGrace.TotalSeconds);
        }
        await schema;
    }

    /// <summary>
    /// Stores the recurring jobs periodically, because Hangfire disables a recurring job that it could not enqueue five times,
    /// and an operator may remove one.
    /// </summary>
    private async Task AddRecurringJobsAsync(JobStorage storage, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await Task.Run(() => EngineServer.AddRecurringJobs(storage), CancellationToken.None);
            }
            catch (Exception e)
            {
                log.LogWarning("The recurring jobs could not be stored, trying again: {Reason}", e.Message);
            }
            await Task.WhenAny(Task.Delay(RecurringJobsInterval, stopping));
        }
    }

    /// <summary>
    /// Starts the runner that tells the worker's device, on one card after another. Until one starts, the worker takes no jobs.
    /// </summary>
    private async Task<(int Slot, RunnerProcess Runner)> StartFirstRunnerAsync(SlotDevices devices, CancellationToken stopping)
    {
        for (var slot = 0; ; slot = (slot + 1) % devices.All.Count)
        {
            try
            {
                var place = devices.Place(slot, options, needsCuda: options.Device == DeviceName.Cuda);
                return (slot, await RunnerProcess.StartAsync(place, options, log, stopping));
            }
            catch (RunnerFailedException e)
            {
                log.LogError("No runner starts, trying again: {Reason}", e.Message);
                await Task.Delay(RunnerRetryDelay, stopping);
            }
        }
    }

    /// <summary>Stops the worker when one of its loops fails, because it would look alive and do only half of its work.</summary>
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

    private async Task HeartbeatAsync(WorkerIdentity worker, SlotPool slots, SlotDevices devices, CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(HeartbeatInterval);
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await timer.WaitForNextTickAsync(stopping);
                await BeatAsync(worker, slots, devices, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested) { }
            catch (NpgsqlException e)
            {
                log.LogWarning("A heartbeat failed: {Reason}", e.Message);
            }
        }
    }

    private async Task BeatAsync(WorkerIdentity worker, SlotPool slots, SlotDevices devices, CancellationToken stopping)
    {
        var attempts = slots.Attempts.ToArray();
        var held = await queue.HeartbeatAsync(
            worker,
            [.. attempts.Select(a => new HeldJob(a.Job, a.Progress))],
            devices.SuspendedReason,
            stopping,
            () => slots.Attempts.Select(a => a.Job),
            devices.Describe(slots)
        );
        foreach (var attempt in attempts)
        {
            // An attempt that ended during this call is missing too; stopping it then has no effect.
            if (!held.TryGetValue((attempt.Job.Id, attempt.Job.Attempt), out var request))
                attempt.AskToStop(StopReason.Lost);
            else if (request is not null)
                attempt.AskToStop(Reason(request.Value));
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
