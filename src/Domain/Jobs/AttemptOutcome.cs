namespace Temper.Domain.Jobs;

/// <summary>How an attempt ended.</summary>
public enum AttemptOutcome
{
    Succeeded,

    /// <summary>Counts as a failure: the runner crashed, hung or refused, or the training failed.</summary>
    Failed,

    /// <summary>Counts as a failure: the worker died or was silent beyond its lease.</summary>
    Lost,

    /// <summary>
    /// Does not count as a failure: the worker shut down, never received the answer to its claim, or found that the request to
    /// stop was withdrawn.
    /// </summary>
    HandedBack,

    /// <summary>Does not count as a failure: stopped at its user's request.</summary>
    Paused,

    /// <summary>Does not count as a failure: stopped at its user's request or by its study.</summary>
    Cancelled,
}
