using Npgsql;
using Temper.Store.Queue;
using Temper.Store.Studies;

namespace Temper.Worker.Supervisor;

/// <summary>One slot: claims a job, has its runner train it, records how it ended, and again.</summary>
internal sealed class Slot(int number, WorkerIdentity worker, JobQueue queue, StudyQueue studies, Doorbell doorbell, Breaker breaker, WorkerOptions options, ILogger log) : IAsyncDisposable
{
    /// <summary>What a missed notification costs at most.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    private RunnerProcess? runner;

    /// <summary>The job this slot holds, if it holds one.</summary>
    public Attempt? Attempt { get; private set; }

    /// <summary>A runner started beforehand, to be used first.</summary>
    public RunnerProcess? Runner { init => runner = value; }

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                if (breaker.SuspendedReason is not null) await ProbeAsync(stopping);
                else await TakeJobAsync(stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
            }
            catch (RunnerFailedException e)
            {
                log.LogWarning("Slot {Slot} has no runner: {Reason}", number, e.Message);
                breaker.RunnerDidNotStart(e.Message);
            }
            catch (Exception e)
            {
                // Whatever one job brought about, the slot lives on for the next.
                if (e is NpgsqlException) log.LogWarning("Slot {Slot} cannot take work: {Reason}", number, e.Message);
                else log.LogError(e, "Slot {Slot} failed", number);
                await Task.WhenAny(Task.Delay(Patience.RetryDelay, stopping));
            }
        }
    }

    private async Task TakeJobAsync(CancellationToken stopping)
    {
        var ready = (await HealthyRunnerAsync(stopping)).Ready;
        var ring = doorbell.NextRing;
        if (await queue.ClaimAsync(worker.Id, ready.HasCuda, stopping) is { } job) await CarryOutAsync(job, stopping);
        else await Task.WhenAny(ring, Task.Delay(PollInterval, stopping));
    }

    /// <summary>A runner that starts has trained on blank images: the device and libtorch work.</summary>
    private async Task ProbeAsync(CancellationToken stopping)
    {
        if (!breaker.TryBeginProbe())
        {
            await Task.WhenAny(Task.Delay(PollInterval, stopping));
            return;
        }
        await DropRunnerAsync();
        await HealthyRunnerAsync(stopping);
        breaker.ProbePassed();
        log.LogInformation("A fresh runner trains: the worker takes jobs again");
    }

    private async Task CarryOutAsync(ClaimedJob job, CancellationToken stopping)
    {
        using var scope = log.BeginScope("Job {JobId} attempt {Attempt}", job.Id, job.Attempt);
        log.LogInformation("Job {JobId} attempt {Attempt} started: {Dataset}, ε {Epsilon}, {Epochs} epochs", job.Id, job.Attempt, job.Spec.Dataset, job.Spec.Epsilon, job.Spec.Epochs);
        var attempt = new Attempt(job);
        Attempt = attempt;
        try
        {
            using var shutdown = stopping.Register(() => attempt.AskToStop(StopReason.ShuttingDown));
            using var timeout = new CancellationTokenSource(job.Spec.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : Timeout.InfiniteTimeSpan);
            using var timer = timeout.Token.Register(() => attempt.AskToStop(StopReason.TimedOut));
            await RecordAsync(job, await TrainAsync(attempt));
        }
        catch (Exception e)
        {
            // The runner may be at this job still; the next job gets another.
            await DropRunnerAsync();
            await GiveBackAsync(job, $"its worker failed: {e.Message}");
            throw;
        }
        finally
        {
            Attempt = null;
        }
    }

    private async Task<Ending> TrainAsync(Attempt attempt)
    {
        var job = attempt.Job;
        var checkpoint = job.Attempt == 1 ? null : await Patience.UntilDatabaseAnswersAsync(() => queue.ReadCheckpointAsync(job, CancellationToken.None), log);
        var reports = new Reports(attempt, queue, log);
        var training = new TrainingRun(attempt, runner!, reports, options.HangLimit, log);
        var ending = await training.RunAsync(checkpoint);
        if (!training.RunnerIsSound) await DropRunnerAsync();
        Judge(job, ending, training.RunnerIsSound);
        return await reports.CloseAsync() is { } refusal ? new Ending.Failed($"The database refused a report: {refusal}", WorthRetrying: true) : ending;
    }

    /// <summary>A runner that failed in good order, such as for want of a data set, tells nothing of the worker's health.</summary>
    private void Judge(ClaimedJob job, Ending ending, bool runnerIsSound)
    {
        if (ending is Ending.Succeeded) breaker.JobSucceeded();
        if (runnerIsSound || ending is not Ending.Failed failed) return;
        breaker.JobFailed(job.Id, failed.Reason);
        if (breaker.SuspendedReason is { } reason) log.LogError("The worker takes no jobs for now: {Reason}", reason);
    }

    private async Task RecordAsync(ClaimedJob job, Ending ending)
    {
        var none = CancellationToken.None;
        var (what, write) = ending switch
        {
            Ending.Succeeded(var result, var model) => ("succeeded", (Func<Task<bool>>)(() => queue.SucceedAsync(job, result, model, none))),
            Ending.Failed(var reason, true, var output) => ($"failed: {reason}", () => queue.GiveBackAsync(job, reason, output, none)),
            Ending.Failed(var reason, false, _) => ($"failed for good: {reason}", () => queue.FailAsync(job, reason, none)),
            Ending.Stopped(StopReason.TimedOut) => ("timed out", () => queue.FailAsync(job, $"ran longer than its timeoutSeconds of {job.Spec.TimeoutSeconds}", none)),
            Ending.Stopped(StopReason.Cancelled or StopReason.Paused) => ("stopped as was asked", () => queue.HandBackAsync(job, "the wish to stop it was withdrawn", none)),
            Ending.Stopped(StopReason.ShuttingDown) => ("handed back", () => queue.HandBackAsync(job, "its worker shut down", none)),
            _ => ("lost to a rescue", () => Task.FromResult(true)),
        };
        bool ours;
        try
        {
            ours = await Patience.UntilDatabaseAnswersAsync(write, log);
        }
        catch (NpgsqlException e)
        {
            var refused = $"The database refused its end ({what}): {e.Message}";
            log.LogError("Job {JobId} attempt {Attempt}: {Reason}", job.Id, job.Attempt, refused);
            ours = await GiveBackAsync(job, refused);
        }
        log.LogInformation("Job {JobId} attempt {Attempt} {What}{Fenced}", job.Id, job.Attempt, what, ours ? "" : ", but it was no longer ours: nothing written");
        if (ours && job.Study is { } study) await SettleAsync(study);
    }

    /// <summary>Does the study need what was only to be known at the end of a job? Not worth waiting for: the next end asks again.</summary>
    private async Task SettleAsync(Guid study)
    {
        try
        {
            await studies.SettleAsync(study, CancellationToken.None);
        }
        catch (Exception e) // of a newer build's spec as well: the job has ended, and its runner is sound
        {
            log.LogWarning("Study {StudyId} was not looked at after the end of a job: {Reason}", study, e.Message);
        }
    }

    private Task<bool> GiveBackAsync(ClaimedJob job, string reason) =>
        Patience.UntilDatabaseAnswersAsync(() => queue.GiveBackAsync(job, reason, errorOutput: null, CancellationToken.None), log);

    private async Task<RunnerProcess> HealthyRunnerAsync(CancellationToken cancellationToken)
    {
        if (runner is { HasExited: true }) await DropRunnerAsync();
        try
        {
            return runner ??= await RunnerProcess.StartAsync(number, options, log, cancellationToken);
        }
        catch (RunnerFailedException e)
        {
            // One that died on the way, of a full memory for instance, does not speak for the next.
            log.LogWarning("Slot {Slot}'s runner did not start, trying once more: {Reason}", number, e.Message);
            return runner ??= await RunnerProcess.StartAsync(number, options, log, cancellationToken);
        }
    }

    private async Task DropRunnerAsync()
    {
        if (runner is not null) await runner.DisposeAsync();
        runner = null;
    }

    public async ValueTask DisposeAsync() => await DropRunnerAsync();
}
