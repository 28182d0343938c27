using Temper.Worker.Messages;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>Runs one attempt on a runner until the attempt ends, even if the runner crashes or hangs.</summary>
/// <param name="hangAfter">How long the runner may be silent, unless it says that its work may take longer.</param>
internal sealed class TrainingRun(Attempt attempt, RunnerProcess runner, Reports reports, TimeSpan hangAfter, ILogger log)
{
    /// <summary>
    /// How long the runner may take to stop when nobody needs a checkpoint. A step of the CNN is far shorter. The supervisor
    /// kills a runner that takes longer, whether it is stuck or in a long step of a deep model.
    /// </summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromMilliseconds(500);

    /// <summary>How long to wait for the checkpoint of a job that will resume later, after the end of the current step.</summary>
    private static readonly TimeSpan CheckpointGrace = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestStep = TimeSpan.FromMinutes(1);

    /// <summary>Last wait before the runner counts as hung: messages may arrive if this process was suspended.</summary>
    private static readonly TimeSpan LastChance = TimeSpan.FromSeconds(1);

    private Task commanded = Task.CompletedTask;
    private TimeSpan quiet;

    /// <summary>How long the runner may be silent: the worker's limit, or the runner's own if that is longer.</summary>
    private TimeSpan LongestSilence => quiet > hangAfter ? quiet : hangAfter;

    /// <summary>Whether the runner ended this job in an orderly way and can take another.</summary>
    public bool RunnerIsSound { get; private set; }

    /// <param name="checkpoint">The checkpoint to resume from; null to start anew.</param>
    public async Task<TrainingOutcome> RunAsync(byte[]? checkpoint)
    {
        try
        {
            var message = CommandAsync(new(attempt.Job.Spec, checkpoint));
            while (!await StopIsAskedBeforeAsync(message))
            {
                if (Handle(await message) is { } ending)
                    return await SettleAsync(ending);
                await Task.WhenAny(reports.Room, attempt.StopAsked);
                message = runner.ReadAsync();
            }
            return await StopAsync(message);
        }
        catch (RunnerFailedException e)
        {
            await runner.EndAsync();
            // If a stop was asked for, the runner did not fail by itself: for instance both processes were killed.
            return attempt.StopAsked.IsCompletedSuccessfully
                ? new TrainingOutcome.Stopped(await attempt.StopAsked)
                : new TrainingOutcome.Failed(e.Message, WorthRetrying: true, runner.ErrorOutput);
        }
        finally
        {
            runner.ForgetJob();
        }
    }

    private async Task<RunnerMessage> CommandAsync(Train train)
    {
        await (commanded = runner.SendAsync(train));
        return await runner.ReadAsync();
    }

    /// <exception cref="RunnerFailedException">The runner was silent for too long.</exception>
    private async Task<bool> StopIsAskedBeforeAsync(Task message)
    {
        while (!message.IsCompleted && !attempt.StopAsked.IsCompleted)
        {
            var left = LongestSilence - runner.Silence;
            if (left > TimeSpan.Zero)
                await FirstOfAsync(message, attempt.StopAsked, left);
            else if (await FirstOfAsync(message, attempt.StopAsked, LastChance) && runner.Silence > LongestSilence)
                throw new RunnerFailedException(
                    $"The runner hung: it gave no sign of life for {LongestSilence.TotalSeconds:0} s and was killed."
                );
        }
        return !message.IsCompleted;
    }

    /// <returns>True if neither task completed within the time.</returns>
    private static async Task<bool> FirstOfAsync(Task one, Task other, TimeSpan time)
    {
        using var enough = new CancellationTokenSource();
        var delay = Task.Delay(time, enough.Token);
        var first = await Task.WhenAny(one, other, delay);
        await enough.CancelAsync();
        return first == delay;
    }

    /// <returns>Null while the training goes on.</returns>
    private TrainingOutcome? Handle(RunnerMessage message)
    {
        switch (message)
        {
            case TrainingStarted started:
                log.LogInformation(
                    "Job {JobId} attempt {Attempt} trains, data loaded in {DataMs:F1} ms",
                    attempt.Job.Id,
                    attempt.Job.Attempt,
                    started.DataSeconds * 1000
                );
                attempt.Telemetry.DataLoaded();
                reports.AddTrainingStarted(started.Note);
                return null;
            case Loading loading:
                log.LogInformation(
                    "Job {JobId} attempt {Attempt} waits for its data: {What}",
                    attempt.Job.Id,
                    attempt.Job.Attempt,
                    loading.What
                );
                return null;
            case Alive alive:
                quiet = TimeSpan.FromSeconds(alive.QuietSeconds);
                return null;
            case Progressed progressed:
                quiet = TimeSpan.FromSeconds(progressed.QuietSeconds);
                attempt.Progress = progressed.Progress;
                return null;
            case EpochDone epoch:
                attempt.Telemetry.EpochDone(epoch.Metrics);
                reports.AddEpoch(epoch.Metrics, epoch.Checkpoint);
                return null;
            case Checkpointed made:
                reports.AddCheckpoint(made.Checkpoint);
                return null;
            case Finished finished:
                attempt.Telemetry.Evaluated();
                RunnerIsSound = true;
                return new TrainingOutcome.Succeeded(finished.Result, finished.Model);
            case Failed failed:
                RunnerIsSound = !failed.Spoiled;
                return new TrainingOutcome.Failed(failed.Reason, failed.WorthRetrying);
            case Stopped when attempt.StopAsked.IsCompletedSuccessfully:
                RunnerIsSound = true;
                return new TrainingOutcome.Stopped(attempt.StopAsked.Result);
            default:
                throw new RunnerFailedException($"The runner said {message.GetType().Name} in the middle of a job.");
        }
    }

    /// <summary>Asks the runner to stop, handles its remaining messages, and kills it if it does not stop in time.</summary>
    private async Task<TrainingOutcome> StopAsync(Task<RunnerMessage> message)
    {
        var reason = await attempt.StopAsked;
        using var grace = new CancellationTokenSource(CheckpointGrace + StepTime());
        using var hurry = attempt.Abandoned.Register(() => grace.CancelAfter(StopGrace));
        try
        {
            await commanded.WaitAsync(grace.Token);
            await runner.SendAsync(new Stop()).WaitAsync(grace.Token);
            while (true)
            {
                // If the training ended just before the stop, its outcome counts, unless this worker has lost the job.
                if (Handle(await message.WaitAsync(grace.Token)) is { } ending)
                    return reason == StopReason.Lost ? new TrainingOutcome.Stopped(reason) : await SettleAsync(ending);
                message = runner.ReadAsync();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RunnerFailedException)
        {
            await runner.EndAsync();
            return new TrainingOutcome.Stopped(reason);
        }
    }

    /// <summary>Duration of a step by the latest progress: at most a minute, and zero before the first progress.</summary>
    private TimeSpan StepTime() =>
        attempt.Progress is { ImagesPerSecond: > 0 } progress
            ? TimeSpan.FromSeconds(Math.Min(attempt.Job.Spec.BatchSize / progress.ImagesPerSecond, LongestStep.TotalSeconds))
            : TimeSpan.Zero;

    /// <summary>Adds the runner's error output to a failure, after ending an unsound runner to make it complete.</summary>
    private async Task<TrainingOutcome> SettleAsync(TrainingOutcome ending)
    {
        if (!RunnerIsSound)
            await runner.EndAsync();
        return ending is TrainingOutcome.Failed failed ? failed with { ErrorOutput = runner.ErrorOutput } : ending;
    }
}
