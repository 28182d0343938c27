using Npgsql;
using Polly;
using Temper.Store.Engine;
using Temper.Store.Queue;
using Temper.Worker.Datasets;
using Temper.Worker.Instruments;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>Runs one job at a time on a warm runner: it claims a job, has the runner train it, and records the outcome.</summary>
internal sealed class Slot(
    RunnerPlace place,
    SlotDevice device,
    WorkerIdentity worker,
    JobQueue queue,
    UploadedFiles uploads,
    WorkerOptions options,
    ILogger log
) : ISlot
{
    /// <summary>Also when the end could not be stored: the worker that takes the job counts the attempt.</summary>
    private static readonly AttemptResult NotOurs = new(WorkerMeter.Lost, "it was no longer ours: nothing written");

    private readonly ResiliencePipeline retry = DatabaseRetry.Create(log);

    private RunnerProcess? runner;

    public SlotDevice Device => device;

    public Attempt? Attempt { get; private set; }

    public bool HasFailed { get; private set; }

    /// <summary>A runner that is already started; the slot uses it first.</summary>
    public RunnerProcess? Runner
    {
        init => runner = value;
    }

    /// <summary>Called when an attempt at a job has ended in this slot.</summary>
    public Action<ClaimedJob> OnAttemptEnded { private get; init; } = _ => { };

    /// <summary>Looks once for a job. If its device is set aside, it tries a fresh runner instead, when a probe is due.</summary>
    public async Task<Attempt?> TryClaimAsync(CancellationToken stopping)
    {
        HasFailed = false;
        try
        {
            if (device.SetAsideReason is not null)
            {
                await ProbeAsync(stopping);
                HasFailed = true; // it waits without taking a notice, which is for a slot that can claim
                return null;
            }
            var ready = (await HealthyRunnerAsync(stopping)).Ready;
            // From here on heartbeats include the attempt, and a stop request reaches it.
            var began = DateTimeOffset.UtcNow;
            return Attempt = await queue.ClaimAsync(worker.Id, ready.HasCuda, stopping) is { } job
                ? new(job, AttemptTelemetry.Claimed(job, began, place.Slot))
                : null;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            throw;
        }
        catch (RunnerFailedException e)
        {
            log.LogWarning("Slot {Slot} has no runner: {Reason}", place.Slot, e.Message);
            device.Breaker.RunnerDidNotStart(e.Message);
        }
        catch (Exception e)
        {
            if (e is NpgsqlException)
                log.LogWarning("Slot {Slot} cannot take work: {Reason}", place.Slot, e.Message);
            else
                log.LogError(e, "Slot {Slot} failed", place.Slot);
        }
        HasFailed = true;
        return null;
    }

    public async Task<AttemptResult> CarryOutAsync(Attempt attempt, CancellationToken stopping)
    {
        var job = attempt.Job;
        attempt.Telemetry.Enter();
        using var scope = log.BeginScope("Job {JobId} attempt {Attempt}", job.Id, job.Attempt);
        log.LogInformation(
            "Job {JobId} attempt {Attempt} started: {Dataset}, ε {Epsilon}, {Epochs} epochs",
            job.Id,
            job.Attempt,
            job.Spec.Dataset,
            job.Spec.Epsilon,
            job.Spec.Epochs
        );
        var result = NotOurs;
        try
        {
            using var shutdown = stopping.Register(() => attempt.AskToStop(StopReason.ShuttingDown));
            using var timeout = new CancellationTokenSource(
                job.Spec.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : Timeout.InfiniteTimeSpan
            );
            using var timer = timeout.Token.Register(() => attempt.AskToStop(StopReason.TimedOut));
            result = await RecordAsync(attempt, await TrainAsync(attempt));
        }
        catch (Exception e)
        {
            log.LogError(e, "Slot {Slot} failed", place.Slot);
            // The runner may still be training this job, so the next job gets another runner.
            await DropRunnerAsync();
            var reason = $"its worker failed: {e.Message}";
            if (await GiveBackAsync(job, reason))
                result = new("failed", reason);
        }
        finally
        {
            attempt.Telemetry.Ended(result);
            Attempt = null;
        }
        return result;
    }

    public async Task HandBackAsync(Attempt attempt, string reason)
    {
        var result = NotOurs;
        try
        {
            var ours = await retry.ExecuteAsync(async none => await queue.HandBackAsync(attempt.Job, reason, none));
            if (ours)
                result = new("handed_back", reason);
            log.LogInformation(
                "Job {JobId} attempt {Attempt} handed back: {Reason}{Fenced}",
                attempt.Job.Id,
                attempt.Job.Attempt,
                reason,
                ours ? "" : ", but it was no longer ours: nothing written"
            );
        }
        finally
        {
            attempt.Telemetry.Ended(result);
            Attempt = null;
        }
    }

    /// <summary>
    /// Starts a fresh runner if a probe is due. The start includes a training on blank images, so it shows that the device and
    /// libtorch work.
    /// </summary>
    private async Task ProbeAsync(CancellationToken stopping)
    {
        if (!device.IsListed)
            await DropRunnerAsync(); // the card may come back, but not for this runner
        if (!device.IsListed || !device.Breaker.TryBeginProbe())
            return;
        await DropRunnerAsync();
        await HealthyRunnerAsync(stopping);
        device.Breaker.ProbePassed();
        log.LogInformation("A fresh runner trains: {Device} takes jobs again", device);
    }

    private async Task<TrainingOutcome> TrainAsync(Attempt attempt)
    {
        var job = attempt.Job;
        if (await FetchDataAsync(attempt) is { } noData)
            return noData;
        var checkpoint = job.Attempt == 1 ? null : await retry.ExecuteAsync(async none => await queue.ReadCheckpointAsync(job, none));
        var reports = new Reports(attempt, queue, log);
        var training = new TrainingRun(attempt, runner!, reports, options.HangLimit, log);
        var ending = await training.RunAsync(checkpoint);
        if (!training.RunnerIsSound)
            await DropRunnerAsync();
        Judge(job, ending, training.RunnerIsSound);
        return await reports.CloseAsync() is { } refusal
            ? new TrainingOutcome.Failed($"The database refused a report: {refusal}", WorthRetrying: true)
            : ending;
    }

    /// <returns>Null when the data set is here or the runner has to fetch it; otherwise how the attempt ended.</returns>
    private async Task<TrainingOutcome?> FetchDataAsync(Attempt attempt)
    {
        if (attempt.Job.Spec.Data is null)
            return null;
        using var stop = new CancellationTokenSource();
        var fetch = retry
            .ExecuteAsync(async cancellation => await uploads.FetchAsync(attempt.Job.Tenant, attempt.Job.Spec, cancellation), stop.Token)
            .AsTask();
        if (await Task.WhenAny(fetch, attempt.StopAsked) != fetch)
            await stop.CancelAsync();
        try
        {
            await fetch;
            return null;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return new TrainingOutcome.Stopped(await attempt.StopAsked);
        }
        catch (DatasetUnavailableException e)
        {
            return new TrainingOutcome.Failed(e.Message, WorthRetrying: true);
        }
    }

    /// <summary>
    /// Tells the breaker the outcome, except an orderly failure, such as for want of a data set: that says nothing of the
    /// device's health.
    /// </summary>
    private void Judge(ClaimedJob job, TrainingOutcome ending, bool runnerIsSound)
    {
        if (ending is TrainingOutcome.Succeeded)
            device.Breaker.JobSucceeded();
        if (runnerIsSound || ending is not TrainingOutcome.Failed failed)
            return;
        device.Breaker.JobFailed(job.Id, failed.Reason);
        if (device.Breaker.SetAsideReason is { } reason)
            log.LogError("{Device} takes no jobs for now: {Reason}", device, reason);
    }

    /// <returns>The outcome, for Hangfire.</returns>
    private async Task<AttemptResult> RecordAsync(Attempt attempt, TrainingOutcome ending)
    {
        var job = attempt.Job;
        using var storing = attempt.Telemetry.Storing();
        var (result, write) = EndOf(job, ending);
        var retried = ending is TrainingOutcome.Failed { WorthRetrying: true };
        bool ours;
        try
        {
            ours = await retry.ExecuteAsync(async _ => await write());
        }
        catch (NpgsqlException e)
        {
            result = new("failed", $"The database refused its end ({result.Outcome}): {e.Message}");
            log.LogError("Job {JobId} attempt {Attempt}: {Reason}", job.Id, job.Attempt, result.Reason);
            retried = true;
            ours = await GiveBackAsync(job, result.Reason!);
        }
        if (!ours)
            result = NotOurs;
        log.LogInformation(
            "Job {JobId} attempt {Attempt} {Outcome}{Reason}",
            job.Id,
            job.Attempt,
            result.Outcome != "failed" ? result.Outcome
                : retried ? "failed, worth retrying"
                : "failed for good",
            result.Reason is null ? "" : $": {result.Reason}"
        );
        if (ours)
            OnAttemptEnded(job);
        return result;
    }

    /// <returns>The outcome for Hangfire, and the statement that writes it into the job's row.</returns>
    private (AttemptResult Result, Func<Task<bool>> Write) EndOf(ClaimedJob job, TrainingOutcome ending)
    {
        var none = CancellationToken.None;
        switch (ending)
        {
            case TrainingOutcome.Succeeded(var result, var model):
                return (AttemptResult.Succeeded, () => queue.SucceedAsync(job, result, model, none));
            case TrainingOutcome.Failed(var reason, WorthRetrying: true, var output):
                return (new("failed", reason, output), () => queue.GiveBackAsync(job, reason, output, none));
            case TrainingOutcome.Failed(var reason, WorthRetrying: false, var output):
                return (new("failed", reason, output), () => queue.FailAsync(job, reason, none));
            case TrainingOutcome.Stopped(StopReason.TimedOut):
                var late = $"ran longer than its timeoutSeconds of {job.Spec.TimeoutSeconds}";
                return (new("failed", late), () => queue.FailAsync(job, late, none));
            case TrainingOutcome.Stopped(StopReason.Cancelled or StopReason.Paused):
                var outcome = ending is TrainingOutcome.Stopped(StopReason.Paused) ? "paused" : "cancelled";
                return (new(outcome), () => queue.HandBackAsync(job, "the request to stop it was withdrawn", none));
            case TrainingOutcome.Stopped(StopReason.ShuttingDown):
                const string shutDown = "its worker shut down";
                return (new("handed_back", shutDown), () => queue.HandBackAsync(job, shutDown, none));
            default:
                return (new("lost", "it was taken away from this worker"), () => Task.FromResult(true));
        }
    }

    private ValueTask<bool> GiveBackAsync(ClaimedJob job, string reason) =>
        retry.ExecuteAsync(async none => await queue.GiveBackAsync(job, reason, errorOutput: null, none));

    private async Task<RunnerProcess> HealthyRunnerAsync(CancellationToken cancellationToken)
    {
        if (runner is { HasExited: true })
            await DropRunnerAsync();
        try
        {
            return runner ??= await RunnerProcess.StartAsync(place, options, log, cancellationToken);
        }
        catch (RunnerFailedException e)
        {
            // Try once more: a runner may die while it starts, for instance for lack of memory, and the next may not.
            log.LogWarning("Slot {Slot}'s runner did not start, trying once more: {Reason}", place.Slot, e.Message);
            return runner ??= await RunnerProcess.StartAsync(place, options, log, cancellationToken);
        }
    }

    private async Task DropRunnerAsync()
    {
        if (runner is not null)
            WorkerMeter.RunnerRestarts.Add(1);
        await DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (runner is not null)
            await runner.DisposeAsync();
        runner = null;
    }
}
