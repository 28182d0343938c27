using Hangfire;
using Hangfire.States;

namespace Temper.Store.Engine;

/// <summary>The Hangfire job of an attempt. Workers implement it, and the dashboard shows its arguments.</summary>
public interface ITraining
{
    /// <param name="job">Id of the job.</param>
    /// <param name="attempt">Number of the attempt.</param>
    /// <param name="label">Text that the dashboard shows.</param>
    [JobDisplayName("{2}"), AutomaticRetry(Attempts = 0, LogEvents = false), AttemptStates, FailuresExpire]
    Task<AttemptResult> TrainAsync(Guid job, int attempt, string label);
}

/// <summary>How an attempt ended.</summary>
/// <param name="Outcome">succeeded, failed, handed_back, paused, cancelled or lost.</param>
/// <param name="Reason">Why it ended this way; null when there is no reason, for example after a success.</param>
/// <param name="ErrorOutput">The last lines of its runner's standard error; null when there are none.</param>
public sealed record AttemptResult(string Outcome, string? Reason = null, string? ErrorOutput = null)
{
    public static AttemptResult Succeeded { get; } = new("succeeded");

    /// <summary>The Hangfire state that matches the outcome.</summary>
    public IState ToState() =>
        Outcome switch
        {
            "succeeded" => new SucceededState(this, 0, 0),
            "failed" => new ExpiringFailure(new AttemptFailedException(Reason ?? "", ErrorOutput)) { Reason = Reason },
            _ => new StoppedAttempt(this),
        };
}

/// <summary>Carries a failed attempt's reason and, below it, the last lines of its runner's standard error.</summary>
public sealed class AttemptFailedException(string reason, string? errorOutput = null)
    : Exception(errorOutput is null ? reason : $"{reason}\n{errorOutput}");
