using Temper.Worker.Slots;

namespace Temper.Simulation;

/// <summary>
/// Simulates Reports.cs: the training's reports that the database has not stored yet, and the writer that stores them.
/// </summary>
internal sealed class SimulatedReports
{
    private readonly SimulatedWorker worker;
    private readonly SimulatedAttempt attempt;
    private readonly Signal changed;
    private readonly Task writing;
    private List<int> epochs = [];
    private int? checkpoint;
    private bool hasStarted,
        isLast;

    public SimulatedReports(SimulatedWorker worker, SimulatedAttempt attempt)
    {
        (this.worker, this.attempt, changed) = (worker, attempt, new(worker));
        writing = WriteAllAsync();
    }

    public void AddTrainingStarted()
    {
        hasStarted = true;
        changed.Raise();
    }

    public void AddEpoch(int epoch, int? made)
    {
        epochs.Add(epoch);
        checkpoint = made ?? checkpoint;
        changed.Raise();
    }

    public void AddCheckpoint(int made)
    {
        checkpoint = made;
        changed.Raise();
    }

    /// <summary>Waits until every report is stored or the job is lost.</summary>
    public Task CloseAsync()
    {
        isLast = true;
        changed.Raise();
        return writing;
    }

    private async Task WriteAllAsync()
    {
        var heard = 0;
        while (true)
        {
            if (heard == changed.Count)
                await changed.WaitAsync(TimeSpan.FromDays(1));
            heard = changed.Count;
            var (started, ended, made, last) = (hasStarted, epochs, checkpoint, isLast);
            (hasStarted, epochs, checkpoint) = (false, [], null);
            if (!await WriteAsync(started, ended, made))
            {
                attempt.AskToStop(StopReason.Lost);
                return;
            }
            if (last)
                return;
        }
    }

    /// <returns>False when the attempt no longer holds the job.</returns>
    private async Task<bool> WriteAsync(bool started, List<int> ended, int? made)
    {
        if (
            started
            && !await worker.UntilAnsweredAsync(Deed.Start, attempt, queue => queue.ReportTrainingStarted(attempt.Id, attempt.Number))
        )
            return false;
        if (ended.Count == 0 && made is null)
            return true;
        while (true)
        {
            if (await worker.ReportAsync(attempt, ended, made) is { } held)
                return held;
            await worker.Delay(SimulatedWorker.RetryDelay);
        }
    }
}
