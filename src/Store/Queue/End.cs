using Npgsql;
using Temper.Store.Tenants;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// The state after a failed attempt: cancelled if requested, failed when the attempts are used up, paused if requested,
    /// otherwise queued.
    /// </summary>
    private const string AfterFailure = """
        CASE WHEN stop_requested = 'cancel' THEN 'cancelled'
             WHEN failures + 1 >= (spec->>'maxAttempts')::int THEN 'failed'
             WHEN stop_requested = 'pause' THEN 'paused'
             ELSE 'queued' END
        """;

    /// <summary>The state after an attempt that stopped without error: cancelled or paused if requested, else queued.</summary>
    private const string AfterStop = "CASE stop_requested WHEN 'cancel' THEN 'cancelled' WHEN 'pause' THEN 'paused' ELSE 'queued' END";

    /// <summary>1 s, 2 s, 4 s … up to a minute; ±25 % jitter keeps jobs that failed together from retrying together.</summary>
    private const string Backoff = "least(power(2, failures), 60) * (0.75 + random() / 2)";

    /// <summary>
    /// 0 s, 1 s, 3 s … with the same jitter. The job rarely causes the first loss of a worker, so it does not wait then; a job
    /// that kills several workers waits.
    /// </summary>
    private const string BackoffAfterLoss = "least(power(2, failures) - 1, 60) * (0.75 + random() / 2)";

    /// <summary>The reason recorded for a stopped job and for the attempt that the stop ended.</summary>
    private const string ReasonOfStop = "coalesce(stopped_because, next || ' while running')";

    /// <summary>
    /// Builds the statement that ends attempts. It locks the jobs' rows, sets their next state, and inserts the attempts into the
    /// history, all or nothing. Its parameters are `reason`, `error_output` and those that the arguments name.
    /// </summary>
    /// <param name="which">SQL condition that selects the jobs.</param>
    /// <param name="next">SQL expression over the job's row: the job's next state.</param>
    /// <param name="outcome">SQL expression: the attempt's outcome.</param>
    /// <param name="counted">1 to count a failure, otherwise 0.</param>
    /// <param name="delaySeconds">SQL expression over the job's row: seconds until the job may be claimed again.</param>
    /// <param name="set">More columns to set.</param>
    /// <param name="also">More common table expressions; they may read `ended (id)`.</param>
    /// <param name="reason">SQL expression over the job's row: the attempt's reason.</param>
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
                SELECT id, tenant, attempt, worker_id, claimed_at, training_started_at, attempt_note, reason AS stopped_because,
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
                RETURNING jobs.id, {NotifyQueued}),
            used AS ({TenantStore.AddUsage("held JOIN ended USING (id)")}){also}
            INSERT INTO attempts (job_id, attempt, worker, claimed_at, training_started_at, ended_at, outcome, reason, note, error_output)
            SELECT held.id, attempt, workers.name, claimed_at, training_started_at, clock_timestamp(),
                   {outcome}, {reason}, attempt_note, @error_output
            FROM held JOIN ended USING (id) JOIN workers ON workers.id = held.worker_id
            """;

    /// <summary>The statements that end attempts, with the method that runs each; docs/end-attempts.sql prints them.</summary>
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
