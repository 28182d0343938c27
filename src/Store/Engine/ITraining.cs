using Hangfire;
using Hangfire.States;

namespace Temper.Store.Engine;

/// <summary>The job that Hangfire runs for an attempt. Workers implement it; the dashboard shows its arguments.</summary>
public interface ITraining
{
    /// <param name="job">Whose attempt it is.</param>
    /// <param name="attempt">Its number.</param>
    /// <param name="label">For readers of the dashboard.</param>
    [JobDisplayName("{2}"), AutomaticRetry(Attempts = 0, LogEvents = false), AttemptStates, FailuresExpire]
    Task<AttemptResult> TrainAsync(Guid job, int attempt, string label);
}

/// <summary>How an attempt ended.</summary>
/// <param name="Outcome">succeeded, failed, handed_back, paused, cancelled or lost.</param>
/// <param name="Reason">Null where there is none, such as after a success.</param>
/// <param name="ErrorOutput">The last lines of its runner's standard error; null without any.</param>
public sealed record AttemptResult(string Outcome, string? Reason = null, string? ErrorOutput = null)
{
    public static AttemptResult Succeeded { get; } = new("succeeded");

    /// <summary>The state in which Hangfire shows it.</summary>
    public IState ToState() =>
        Outcome switch
        {
            "succeeded" => new SucceededState(this, 0, 0),
            "failed" => new ExpiringFailure(new AttemptFailedException(Reason ?? "", ErrorOutput)) { Reason = Reason },
            _ => new StoppedAttempt(this),
        };
}

/// <summary>A failed attempt's reason and, below it, the last lines of its runner.</summary>
public sealed class AttemptFailedException(string reason, string? errorOutput = null)
    : Exception(errorOutput is null ? reason : $"{reason}\n{errorOutput}");
