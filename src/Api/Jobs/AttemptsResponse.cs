using Temper.Domain.Jobs;
using Temper.Store.Events;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>The attempts at a job, oldest first.</summary>
public sealed record AttemptsResponse(IReadOnlyList<AttemptResponse> Items)
{
    /// <param name="job">The job, with its attempts and its worker (if any) loaded.</param>
    internal static AttemptsResponse Of(JobRow job)
    {
        var over = job.Attempts.OrderBy(attempt => attempt.Attempt).Select(AttemptResponse.Of);
        return new(job.State == JobState.Running ? [.. over, AttemptResponse.UnderWay(job)] : [.. over]);
    }
}

/// <summary>One attempt at a job.</summary>
/// <param name="Attempt">Number of the attempt, from 1.</param>
/// <param name="Worker">Host and process id of the worker.</param>
/// <param name="Outcome">How it ended; null while it is running. `failed` and `lost` count towards `spec.maxAttempts`.</param>
/// <param name="Reason">Why it ended this way; null when it succeeded.</param>
/// <param name="ClaimedAt">When the worker claimed it.</param>
/// <param name="TrainingStartedAt">When its first optimizer step began; null when it has not reached that step.</param>
/// <param name="EndedAt">When it ended; null while it is running.</param>
/// <param name="Note">Further information, such as that the training started from the beginning; null when there is none.</param>
/// <param name="ErrorOutput">The last lines that its runner wrote to standard error; null when there are none.</param>
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

    internal static AttemptResponse Of(AttemptChange change) =>
        new(
            change.Key.Number,
            change.Worker,
            change.Outcome,
            change.Reason,
            change.ClaimedAt,
            change.TrainingStartedAt,
            change.EndedAt,
            change.Note,
            change.ErrorOutput
        );

    internal static AttemptResponse UnderWay(JobRow job) =>
        new(job.Attempt, job.Worker!.Name, null, null, job.ClaimedAt!.Value, job.TrainingStartedAt, null, job.AttemptNote, null);
}
