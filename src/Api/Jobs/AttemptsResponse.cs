using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>The attempts at a job, oldest first.</summary>
public sealed record AttemptsResponse(IReadOnlyList<AttemptResponse> Items)
{
    /// <param name="job">With its attempts, and its worker where it has one.</param>
    internal static AttemptsResponse Of(JobRow job)
    {
        var over = job.Attempts.OrderBy(attempt => attempt.Attempt).Select(AttemptResponse.Of);
        return new(job.State == JobState.Running ? [.. over, AttemptResponse.UnderWay(job)] : [.. over]);
    }
}

/// <summary>One attempt at a job.</summary>
/// <param name="Attempt">From 1.</param>
/// <param name="Worker">Host and process id.</param>
/// <param name="Outcome">How it ended; null while it is under way. `failed` and `lost` count towards `spec.maxAttempts`.</param>
/// <param name="Reason">Why it ended so; null when it succeeded.</param>
/// <param name="ClaimedAt">When its worker took it.</param>
/// <param name="TrainingStartedAt">When its first optimizer step began; null when it did not come to that.</param>
/// <param name="EndedAt">Null while it is under way.</param>
/// <param name="Note">What to know of it beside how it ended, such as that it began anew; null where there is nothing to say.</param>
/// <param name="ErrorOutput">The last lines its runner wrote on standard error; null without any.</param>
public sealed record AttemptResponse(
    int Attempt,
    string Worker,
    AttemptOutcome? Outcome,
    string? Reason,
    DateTimeOffset ClaimedAt,
    DateTimeOffset? TrainingStartedAt,
    DateTimeOffset? EndedAt,
    string? Note,
    string? ErrorOutput
)
{
    internal static AttemptResponse Of(AttemptRow attempt) =>
        new(
            attempt.Attempt,
            attempt.Worker,
            attempt.Outcome,
            attempt.Reason,
            attempt.ClaimedAt,
            attempt.TrainingStartedAt,
            attempt.EndedAt,
            attempt.Note,
            attempt.ErrorOutput
        );

    internal static AttemptResponse UnderWay(JobRow job) =>
        new(job.Attempt, job.Worker!.Name, null, null, job.ClaimedAt!.Value, job.TrainingStartedAt, null, job.AttemptNote, null);
}
