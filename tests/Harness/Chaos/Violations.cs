using System.Collections.Concurrent;

namespace Temper.Harness.Chaos;

/// <summary>What must never happen, whatever goes wrong.</summary>
public enum Rule
{
    AcknowledgedJobMissing,
    JobDoubled,
    JobNotSucceeded,
    FinalStateNotReachedOnce,
    AttemptClaimedTwice,
    WriteByAnAttemptThatDidNotHoldTheJob,
    EpochMissingOrDoubled,
    ResultOrMetricsDiffer,
    SubmissionRefused,
    ProcessEndedByItself,
    ServerError,
    ConnectionBrokenWhileTheApiWasUp,

    /// <summary>It shows an attempt as running that is over, keeps one for ever, or ran one that an operator put back.</summary>
    HangfireDisagrees,
}

/// <summary>Every rule with what broke it; safe to use from all sides at once.</summary>
public sealed class Violations(ChaosLog log)
{
    private readonly ConcurrentQueue<(Rule Rule, string What)> found = new();

    public IReadOnlyCollection<(Rule Rule, string What)> Found => found;

    public int Count(Rule rule) => found.Count(violation => violation.Rule == rule);

    public void Add(Rule rule, string what)
    {
        found.Enqueue((rule, what));
        log.Write($"VIOLATION {rule}: {what}");
    }
}
