using Npgsql;
using Polly;
using Temper.Domain.Jobs;
using Temper.Store.Queue;
using Temper.Worker.Slots;

namespace Temper.Worker.Supervisor;

/// <summary>
/// Buffers the reports of a training until the database has stored them. A separate task writes them, so that training goes
/// on during an outage of the database. The buffer keeps only the latest checkpoint, so its size is bounded.
/// </summary>
internal sealed class Reports
{
    private const int MostEpochs = 1000;

    private readonly Attempt attempt;
    private readonly JobQueue queue;
    private readonly ILogger log;
    private readonly ResiliencePipeline retry;
    private readonly Lock gate = new();
    private readonly SemaphoreSlim changed = new(0);
    private readonly Task<string?> writing;
    private Batch waiting = Batch.Empty;
    private TaskCompletionSource room = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Reports(Attempt attempt, JobQueue queue, ILogger log)
    {
        (this.attempt, this.queue, this.log, retry) = (attempt, queue, log, DatabaseRetry.Create(log));
        writing = WriteAllAsync();
    }

    /// <summary>
    /// Completed while the buffer has room. A caller that awaits it before it reads on leaves the rest in the runner's pipe.
    /// </summary>
    public Task Room
    {
        get
        {
            lock (gate)
                return waiting.Epochs.Count < MostEpochs ? Task.CompletedTask : room.Task;
        }
    }

    /// <param name="note">A note for readers of the job about this attempt; null for none.</param>
    public void AddTrainingStarted(string? note) => Add(batch => batch with { TrainingStarted = true, Note = note });

    /// <param name="checkpoint">The checkpoint made after the epoch; null if there is none.</param>
    public void AddEpoch(EpochMetrics epoch, byte[]? checkpoint) =>
        Add(batch => batch with { Epochs = [.. batch.Epochs, epoch], Checkpoint = checkpoint ?? batch.Checkpoint });

    public void AddCheckpoint(byte[] checkpoint) => Add(batch => batch with { Checkpoint = checkpoint });

    /// <summary>Waits until all reports are stored, or the job is lost.</summary>
    /// <returns>Null, or why the database refused a report.</returns>
    public Task<string?> CloseAsync()
    {
        Add(batch => batch with { IsLast = true });
        return writing;
    }

    private void Add(Func<Batch, Batch> change)
    {
        lock (gate)
            waiting = change(waiting);
        changed.Release();
    }

    private Batch Take()
    {
        lock (gate)
        {
            var batch = waiting;
            waiting = Batch.Empty;
            room.TrySetResult();
            room = new(TaskCreationOptions.RunContinuationsAsynchronously);
            return batch;
        }
    }

    private async Task<string?> WriteAllAsync()
    {
        while (true)
        {
            await changed.WaitAsync();
            var batch = Take();
            try
            {
                if (!await WriteAsync(batch))
                {
                    log.LogInformation(
                        "Job {JobId} attempt {Attempt} reported something, but it was no longer ours: nothing written",
                        attempt.Job.Id,
                        attempt.Job.Attempt
                    );
                    attempt.AskToStop(StopReason.Lost);
                    return null;
                }
            }
            catch (NpgsqlException e)
            {
                attempt.AskToStop(StopReason.ReportRefused);
                return e.Message;
            }
            if (batch.IsLast)
                return null;
        }
    }

    /// <returns>False if this worker no longer holds the job.</returns>
    private async Task<bool> WriteAsync(Batch batch)
    {
        var job = attempt.Job;
        if (
            batch.TrainingStarted
            && !await retry.ExecuteAsync(async none =>
                await queue.ReportTrainingStartedAsync(job, batch.Note, none, attempt.Telemetry.Traceparent)
            )
        )
            return false;
        if (batch is { Epochs.Count: 0, Checkpoint: null })
            return true;
        if (!await retry.ExecuteAsync(async none => await queue.ReportAsync(job, batch.Epochs, batch.Checkpoint, none)))
            return false;
        if (batch is { Checkpoint: not null, IsLast: false })
            await VacuumAsync();
        return true;
    }

    private async Task VacuumAsync()
    {
        try
        {
            await queue.VacuumCheckpointsAsync(CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            log.LogDebug("The checkpoints' table was not vacuumed: {Reason}", e.Message); // the next checkpoint tries again
        }
    }

    private sealed record Batch(bool TrainingStarted, string? Note, IReadOnlyList<EpochMetrics> Epochs, byte[]? Checkpoint, bool IsLast)
    {
        public static Batch Empty { get; } = new(false, null, [], null, false);
    }
}
