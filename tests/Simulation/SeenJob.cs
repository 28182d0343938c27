using Temper.Domain.Jobs;
using Temper.Harness.Model;

namespace Temper.Simulation;

/// <summary>A job's state after the last statement, and the stop request that its user was last told would be obeyed.</summary>
internal sealed class SeenJob(TwinJob row)
{
    public Guid Id { get; } = row.Id;
    public JobState State { get; private set; } = row.State;
    public int Attempt { get; private set; }
    public int Failures { get; private set; }
    public Guid? Worker { get; private set; }
    public StopRequest? Stop { get; private set; }
    public int? Checkpoint { get; private set; }
    public int AttemptsCount { get; private set; }
    public bool IsTraining { get; private set; }
    public List<(int Epoch, int Attempt)> Epochs { get; } = [];
    public StopRequest? StopAsked { get; private set; }
    public TimeSpan ClaimedAt { get; private set; }

    public bool Differs(TwinJob row) =>
        row.State != State
        || row.Attempt != Attempt
        || row.Failures != Failures
        || row.WorkerId != Worker
        || row.StopRequested != Stop
        || row.Checkpoint != Checkpoint
        || row.TrainingStartedAt is not null != IsTraining
        || row.Attempts.Count != AttemptsCount
        || !SameEpochs(row.Epochs);

    private bool SameEpochs(List<(int, int)> now)
    {
        if (now.Count != Epochs.Count)
            return false;
        for (var i = 0; i < now.Count; i++)
            if (now[i] != Epochs[i])
                return false;
        return true;
    }

    public void Note(Statement statement, TwinJob row)
    {
        if (row.State != JobState.Running)
            return;
        if (statement.Deed == Deed.Cancel)
            StopAsked = StopRequest.Cancel;
        else if (statement.Deed == Deed.Pause)
            StopAsked ??= StopRequest.Pause;
        else if (statement.Deed == Deed.Resume && StopAsked == StopRequest.Pause)
            StopAsked = null;
    }

    public void Update(TwinJob row, TimeSpan now)
    {
        if (row.Attempt != Attempt)
            ClaimedAt = now;
        (State, Attempt, Failures, Worker, Stop, Checkpoint, AttemptsCount) = (
            row.State,
            row.Attempt,
            row.Failures,
            row.WorkerId,
            row.StopRequested,
            row.Checkpoint,
            row.Attempts.Count
        );
        if (State != JobState.Running)
            StopAsked = null;
        IsTraining = row.TrainingStartedAt is not null;
        Epochs.Clear();
        Epochs.AddRange(row.Epochs);
    }
}
