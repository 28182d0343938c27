using Temper.Domain.Jobs;

namespace Temper.Api.Jobs;

/// <summary>A job's state as users see it. `cancelling` and `pausing`: the job runs, and its user has asked it to stop.</summary>
public enum ShownState
{
    Queued,
    Running,
    Cancelling,
    Pausing,
    Paused,
    Succeeded,
    Failed,
    Cancelled,
}

internal static class ShownStates
{
    public static ShownState Of(JobState state, StopRequest? stop) =>
        stop switch
        {
            StopRequest.Cancel => ShownState.Cancelling,
            StopRequest.Pause => ShownState.Pausing,
            _ => Enum.Parse<ShownState>(state.ToString()),
        };

    /// <summary>The inverse of <see cref="Of"/>.</summary>
    public static (JobState State, StopRequest? Stop) Stored(ShownState shown) =>
        shown switch
        {
            ShownState.Cancelling => (JobState.Running, StopRequest.Cancel),
            ShownState.Pausing => (JobState.Running, StopRequest.Pause),
            _ => (Enum.Parse<JobState>(shown.ToString()), null),
        };
}
