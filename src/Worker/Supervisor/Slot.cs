using Npgsql;
using Temper.Store.Queue;
using Temper.Worker.Runner;

namespace Temper.Worker.Supervisor;

/// <summary>One slot: claims a job, has its runner train it, records how it ended, and again.</summary>
internal sealed class Slot(int number, WorkerIdentity worker, JobQueue queue, Doorbell doorbell, WorkerOptions options, ILogger log) : IAsyncDisposable
{
    /// <summary>What a missed notification costs at most.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    /// <summary>A training step is far shorter; a runner that takes longer to stop is stuck and killed.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan DatabaseRetryDelay = TimeSpan.FromSeconds(1);

    private RunnerProcess? runner;

    /// <summary>The job this slot holds, if it holds one.</summary>
    public Attempt? Attempt { get; private set; }

    /// <summary>A runner started beforehand, to be used first.</summary>
    public RunnerProcess Runner { init => runner = value; }

    public async Task RunAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var ready = (await HealthyRunnerAsync(stopping)).Ready;
                var ring = doorbell.NextRing;
                if (await queue.ClaimAsync(worker.Id, ready.HasCuda, stopping) is { } job) await CarryOutAsync(job, stopping);
                else await Task.WhenAny(ring, Task.Delay(PollInterval, stopping));
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
            }
            catch (Exception e) when (e is NpgsqlException or RunnerFailedException)
            {
                log.LogWarning("Slot {Slot} cannot take work: {Reason}", number, e.Message);
                await Task.WhenAny(Task.Delay(DatabaseRetryDelay, stopping));
            }
            catch (Exception e)
            {
                // Whatever one job brought about, the slot lives on for the next.
                log.LogError(e, "Slot {Slot} failed", number);
                await Task.WhenAny(Task.Delay(DatabaseRetryDelay, stopping));
            }
        }
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
        catch
        {
            // The runner may be at this job still; the next job gets another.
            await DropRunnerAsync();
            throw;
        }
        finally
        {
            Attempt = null;
        }
    }

    private async Task<Ending> TrainAsync(Attempt attempt)
    {
        try
        {
            var checkpoint = attempt.Job.Attempt == 1 ? null : await UntilDatabaseAnswersAsync(cancellation => queue.ReadCheckpointAsync(attempt.Job, cancellation));
            await runner!.SendAsync(new Train(attempt.Job.Spec, checkpoint));
            while (true)
            {
                var message = runner.ReadAsync(CancellationToken.None);
                if (await Task.WhenAny(message, attempt.StopAsked) != message) return await StopAsync(attempt, message);
                if (await HeedAsync(attempt, await message) is { } ending) return ending;
            }
        }
        catch (RunnerFailedException e)
        {
            await DropRunnerAsync();
            // Killed together with this worker, it did not fail by itself.
            return attempt.StopAsked.IsCompletedSuccessfully ? new Ending.Stopped(await attempt.StopAsked) : new Ending.Failed(e.Message, WorthRetrying: true);
        }
        catch (NpgsqlException e)
        {
            await DropRunnerAsync();
            return new Ending.Failed($"The database refused a report: {e.Message}", WorthRetrying: true);
        }
    }

    /// <returns>Null while the training goes on.</returns>
    private async Task<Ending?> HeedAsync(Attempt attempt, RunnerMessage message)
    {
        switch (message)
        {
            case TrainingStarted started:
                await WriteAsync(attempt, queue.ReportTrainingStartedAsync);
                log.LogInformation("Job {JobId} attempt {Attempt} trains, data loaded in {DataMs:F1} ms", attempt.Job.Id, attempt.Job.Attempt, started.DataSeconds * 1000);
                return null;
            case Progressed progressed:
                attempt.Progress = progressed.Progress;
                return null;
            case EpochDone epoch:
                await WriteAsync(attempt, (job, cancellation) => queue.ReportEpochAsync(job, epoch.Metrics, epoch.Checkpoint, cancellation));
                return null;
            case Checkpointed checkpointed:
                await WriteAsync(attempt, (job, cancellation) => queue.StoreCheckpointAsync(job, checkpointed.Checkpoint, cancellation));
                return null;
            case Finished finished:
                return new Ending.Succeeded(finished.Result, finished.Model);
            case Failed failed:
                if (failed.Spoiled) await DropRunnerAsync();
                return new Ending.Failed(failed.Reason, failed.WorthRetrying);
            case Stopped when attempt.StopAsked.IsCompletedSuccessfully:
                return new Ending.Stopped(await attempt.StopAsked);
            default:
                throw new RunnerFailedException($"The runner said {message.GetType().Name} in the middle of a job.");
        }
    }

    /// <summary>Asks the runner to stop, takes what it still has to say, and kills it when it does not heed.</summary>
    private async Task<Ending> StopAsync(Attempt attempt, Task<RunnerMessage> message)
    {
        var reason = await attempt.StopAsked;
        using var grace = new CancellationTokenSource(StopGrace);
        try
        {
            await runner!.SendAsync(new Stop());
            while (true)
            {
                var ending = await HeedAsync(attempt, await message.WaitAsync(grace.Token));
                // A training that ended at this very moment has ended; unless the job is no longer ours to end.
                if (ending is not null) return reason == StopReason.Lost ? new Ending.Stopped(reason) : ending;
                message = runner.ReadAsync(CancellationToken.None);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RunnerFailedException)
        {
            await DropRunnerAsync();
            return new Ending.Stopped(reason);
        }
    }

    private async Task RecordAsync(ClaimedJob job, Ending ending)
    {
        var (what, write) = ending switch
        {
            Ending.Succeeded(var result, var model) => ("succeeded", (Func<CancellationToken, Task<bool>>)(c => queue.SucceedAsync(job, result, model, c))),
            Ending.Failed(var reason, true) => ($"failed: {reason}", c => queue.GiveBackAsync(job, reason, c)),
            Ending.Failed(var reason, false) => ($"failed for good: {reason}", c => queue.FailAsync(job, reason, c)),
            Ending.Stopped(StopReason.Cancelled) => ("cancelled", c => queue.FinishCancelledAsync(job, c)),
            Ending.Stopped(StopReason.TimedOut) => ("timed out", c => queue.FailAsync(job, $"ran longer than its timeoutSeconds of {job.Spec.TimeoutSeconds}", c)),
            Ending.Stopped(StopReason.ShuttingDown) => ("handed back", c => queue.HandBackAsync(job, "its worker shut down", c)),
            _ => ("lost to a rescue", _ => Task.FromResult(true)),
        };
        bool ours;
        try
        {
            ours = await UntilDatabaseAnswersAsync(write);
        }
        catch (NpgsqlException e)
        {
            var refused = $"The database refused its end ({what}): {e.Message}";
            log.LogError("Job {JobId} attempt {Attempt}: {Reason}", job.Id, job.Attempt, refused);
            ours = await UntilDatabaseAnswersAsync(c => queue.GiveBackAsync(job, refused, c));
        }
        log.LogInformation("Job {JobId} attempt {Attempt} {What}{Fenced}", job.Id, job.Attempt, what, ours ? "" : ", but it was no longer ours: nothing written");
    }

    private async Task WriteAsync(Attempt attempt, Func<ClaimedJob, CancellationToken, Task<bool>> write)
    {
        if (!await UntilDatabaseAnswersAsync(cancellation => write(attempt.Job, cancellation))) attempt.AskToStop(StopReason.Lost);
    }

    /// <summary>A report is not dropped because the database is away. The runner trains on meanwhile.</summary>
    private async Task<T> UntilDatabaseAnswersAsync<T>(Func<CancellationToken, Task<T>> ask)
    {
        while (true)
        {
            try
            {
                return await ask(CancellationToken.None);
            }
            catch (NpgsqlException e) when (IsOutage(e))
            {
                log.LogWarning("The database does not answer, a report waits: {Reason}", e.Message);
                await Task.Delay(DatabaseRetryDelay);
            }
        }
    }

    /// <summary>Errors that pass: what Npgsql calls transient, an operator's intervention (class 57), and a server that only reads for now.</summary>
    private static bool IsOutage(NpgsqlException e) =>
        e.IsTransient || e.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction || e.SqlState?.StartsWith("57", StringComparison.Ordinal) == true;

    private async Task<RunnerProcess> HealthyRunnerAsync(CancellationToken cancellationToken)
    {
        if (runner is { HasExited: true }) await DropRunnerAsync();
        return runner ??= await RunnerProcess.StartAsync(number, options, log, cancellationToken);
    }

    private async Task DropRunnerAsync()
    {
        if (runner is not null) await runner.DisposeAsync();
        runner = null;
    }

    public async ValueTask DisposeAsync() => await DropRunnerAsync();
}
