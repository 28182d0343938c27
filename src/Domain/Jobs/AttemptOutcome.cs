namespace Temper.Domain.Jobs;

/// <summary>How an attempt ended.</summary>
public enum AttemptOutcome
{
    Succeeded,

    /// <summary>Counted: the runner crashed, hung or refused, or the training went wrong.</summary>
    Failed,

    /// <summary>Counted: its worker died or was silent beyond its lease.</summary>
    Lost,

    /// <summary>Not counted: its worker shut down, or never heard that it was its own.</summary>
    HandedBack,

    /// <summary>At its user's request.</summary>
    Paused,

    /// <summary>At its user's request.</summary>
    Cancelled,
}
