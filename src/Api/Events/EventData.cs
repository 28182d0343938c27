using System.Text.Json.Serialization;
using Temper.Api.Jobs;
using Temper.Api.Studies;
using Temper.Domain.Jobs;
using Temper.Store.Events;
using Temper.Store.Studies;

namespace Temper.Api.Events;

/// <summary>The data of an event about a job. One of its last four members is present: the one that the event's type names.</summary>
/// <param name="JobId">The job.</param>
/// <param name="StudyId">The study that the job belongs to; null when it belongs to none.</param>
public sealed record JobEvent(Guid JobId, Guid? StudyId)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JobStateEvent? State { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public AttemptResponse? Attempt { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public EpochMetrics? Epoch { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TrainingProgress? Progress { get; init; }
}

/// <summary>A job's state.</summary>
/// <param name="State">State of the job.</param>
/// <param name="Reason">Why it is in this state; null where the state needs no explanation.</param>
/// <param name="IsTerminal">True when the job has ended.</param>
/// <param name="Attempt">How many times workers have claimed the job.</param>
/// <param name="UpdatedAt">Since when it is so.</param>
public sealed record JobStateEvent(ShownState State, string? Reason, bool IsTerminal, int Attempt, DateTimeOffset UpdatedAt)
{
    internal static JobStateEvent Of(StateChange change) =>
        new(ShownStates.Of(change.State, change.StopRequested), change.Reason, change.State.IsFinal(), change.Attempt, change.At);
}

/// <summary>The data of an event about a study.</summary>
/// <param name="StudyId">The study.</param>
/// <param name="Study">Its state and the number of its jobs in each state.</param>
public sealed record StudyEvent(Guid StudyId, StudyStateEvent Study);

/// <summary>A study's state, as in the study itself.</summary>
/// <param name="Progress">Number of its jobs in each state. `secondsLeft` is null here; the study itself has it.</param>
public sealed record StudyStateEvent(JobState State, bool IsTerminal, StudyProgress Progress)
{
    internal static StudyStateEvent Of(StudySummary study)
    {
        var progress = StudyProgress.Of(study);
        var state = progress.State();
        return new(state, state.IsFinal(), progress);
    }
}
