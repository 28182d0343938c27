using Npgsql;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

/// <summary>
/// The jobs table as the queue, one file per operation. A worker's write names the attempt it was claimed under and
/// touches nothing when that attempt is over: <c>false</c> then means "this job is no longer yours, write nothing more".
/// </summary>
public sealed partial class JobQueue(NpgsqlDataSource database)
{
    /// <summary>Workers listen here. A notification only shortens a wait; what the table says is the truth.</summary>
    public const string Channel = "temper_jobs";

    /// <summary>A job may be waiting to be claimed.</summary>
    public const string QueuedNotice = "queued";

    /// <summary>Followed by the id of a running job whose cancel was requested.</summary>
    public const string CancelNotice = "cancel ";

    private const string Held = "id = @id AND attempt = @attempt AND state = 'running'";

    /// <summary>
    /// What a failed attempt leads to: cancelled when that was asked for, failed when the attempts are used up, else back
    /// to the queue after 1 s, 2 s, 4 s … up to a minute, spread by ±25 % so that jobs that fell together do not rise together.
    /// </summary>
    private const string AfterFailure =
        $"""
        state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                     WHEN failures + 1 >= (spec->>'maxAttempts')::int THEN 'failed'
                     ELSE 'queued' END,
        finished_at = CASE WHEN cancel_requested_at IS NOT NULL OR failures + 1 >= (spec->>'maxAttempts')::int
                           THEN clock_timestamp() END,
        run_at = clock_timestamp() + interval '1 second' * least(power(2, failures), 60) * (0.75 + random() / 2),
        failures = failures + 1, worker_id = NULL, progress = NULL, reason = {ReasonUnlessCancelled}
        """;

    /// <summary>What stopped a job that its user wanted stopped does not matter.</summary>
    private const string ReasonUnlessCancelled = "CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled while running' ELSE @reason END";

    /// <summary>In a RETURNING clause: the notice goes out with the change, or neither does.</summary>
    private const string NotifyQueued = $"pg_notify('{Channel}', '{QueuedNotice}')";

    private const int LongestReason = 4000;

    /// <summary>A reason may quote what a crashing process wrote; PostgreSQL takes no NUL in a text.</summary>
    private static NpgsqlParameter Reason(string reason)
    {
        var text = reason.Replace("\0", "");
        return new("reason", text[..Math.Min(text.Length, LongestReason)]);
    }

    private Task<bool> WriteAsync(string sql, ClaimedJob job, CancellationToken cancellationToken, params NpgsqlParameter[] parameters) =>
        WriteAsync(sql, job.Id, job.Attempt, cancellationToken, parameters);

    private async Task<bool> WriteAsync(string sql, Guid id, int attempt, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.AddWithValue("id", id);
        command.Parameters.AddWithValue("attempt", attempt);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken) == 1;
    }
}

/// <summary>A job as its owner holds it; <paramref name="Attempt"/> is the fencing token of every write.</summary>
public sealed record ClaimedJob(Guid Id, int Attempt, JobSpec Spec);
