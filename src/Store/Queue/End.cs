using Npgsql;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>What a failed attempt leads to: its user's stop request, failed when the attempts are used up, else the queue.</summary>
    private const string AfterFailure = """
        CASE WHEN stop_requested = 'cancel' THEN 'cancelled'
             WHEN failures + 1 >= (spec->>'maxAttempts')::int THEN 'failed'
             WHEN stop_requested = 'pause' THEN 'paused'
             ELSE 'queued' END
        """;

    /// <summary>What follows where nothing went wrong: its user's stop request, as it stands now, or the queue.</summary>
    private const string AfterStop = "CASE stop_requested WHEN 'cancel' THEN 'cancelled' WHEN 'pause' THEN 'paused' ELSE 'queued' END";

    /// <summary>1 s, 2 s, 4 s … up to a minute, spread by ±25 % so that jobs that fell together do not rise together.</summary>
    private const string Backoff = "least(power(2, failures), 60) * (0.75 + random() / 2)";

    /// <summary>A worker's first death is hardly the job's doing; a job that brings down one after another waits.</summary>
    private const string BackoffAfterLoss = "least(power(2, failures) - 1, 60) * (0.75 + random() / 2)";

    /// <summary>Of a job that was stopped, and of the attempt that the stop ended.</summary>
    private const string ReasonOfStop = "coalesce(stopped_because, next || ' while running')";

    /// <summary>
    /// The one statement that ends attempts: locks the jobs' rows, moves them on, and writes the attempts into the history,
    /// all or nothing. Parameters: `reason`, `error_output`, and what the arguments name.
    /// </summary>
    /// <param name="which">Condition for the jobs.</param>
    /// <param name="next">The state that follows, from the job's row.</param>
    /// <param name="outcome">The attempt's outcome, where no stop request of its user ended it.</param>
    /// <param name="counted">1 for a failure, 0 for none.</param>
    /// <param name="delaySeconds">When it may be claimed again, from the job's row.</param>
    /// <param name="set">More columns to set.</param>
    /// <param name="also">More parts of the statement, from `ended (id)`.</param>
    /// <param name="reason">The attempt's reason, from the job's row.</param>
    private static string End(
        string which,
        string next,
        string outcome,
        int counted,
        string delaySeconds = "0",
        string set = "",
        string also = "",
        string reason = "@reason"
    ) =>
        $"""
            WITH held AS (
                SELECT id, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
                       {next} AS next,
                       {delaySeconds} AS delay
                FROM jobs WHERE {which} ORDER BY id FOR UPDATE),
            ended AS (
                UPDATE jobs
                SET state = held.next, failures = failures + {counted}, run_at = clock_timestamp() + interval '1 second' * held.delay,
                    finished_at = CASE WHEN held.next IN ('succeeded', 'failed', 'cancelled') THEN clock_timestamp() END,
                    reason = CASE WHEN held.next IN ('cancelled', 'paused') THEN {ReasonOfStop} ELSE @reason END,
                    progress = CASE WHEN held.next IN ('cancelled', 'paused', 'failed') THEN progress END,
                    worker_id = NULL, stop_requested = NULL{set}
                FROM held WHERE jobs.id = held.id
                RETURNING jobs.id, {NotifyQueued}){also}
            INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
            SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
                   {outcome}, {reason}, attempt_note, @error_output
            FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id
            """;

    /// <summary>Every statement that ends attempts, with the methods that run it; docs/end-attempts.sql shows them in full.</summary>
    internal static IReadOnlyList<(string Name, string Sql)> EndStatements =>
        [
            (nameof(SucceedAsync), Succeed),
            (nameof(FailAsync), Fail),
            (nameof(GiveBackAsync), GiveBack),
            (nameof(HandBackAsync), HandBack),
            (nameof(LeaveAsync), HandBackAll),
            (nameof(RescueAsync), Rescue),
        ];

    private Task<bool> EndAsync(
        string sql,
        Guid id,
        int attempt,
        string? reason,
        string? errorOutput,
        CancellationToken cancellationToken,
        params NpgsqlParameter[] more
    ) =>
        WriteAsync(
            sql,
            id,
            attempt,
            cancellationToken,
            [Text("reason", reason), Text("error_output", errorOutput, keepEnd: true), .. more]
        );
}
