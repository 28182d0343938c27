using System.Collections.Concurrent;

namespace Temper.Harness.Chaos;

/// <summary>The rules that no fault may break.</summary>
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

    /// <summary>
    /// Hangfire shows an ended attempt as running, keeps one for ever, or carried out an operator's command on one.
    /// </summary>
    HangfireDisagrees,
}

/// <summary>The violations found, each with its rule; thread-safe.</summary>
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
