using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Notifications;

namespace Temper.Store.Notifications;

/// <summary>A try to send a notification that has begun.</summary>
/// <param name="Attempt">Number of the try, from 1.</param>
/// <param name="Body">The JSON body.</param>
public sealed record NotificationAttempt(Guid Id, int Attempt, string Address, string Body);

/// <summary>How a try ended.</summary>
/// <param name="Status">The HTTP status of the answer; null when there was none.</param>
/// <param name="Error">Why it failed; null when the notification was delivered.</param>
public sealed record NotificationOutcome(int? Status, string? Error, TimeSpan Duration);

/// <summary>
/// The notifications of ended jobs and studies. A notification belongs to one end: it is stored after the end, once, and then
/// sent until it is delivered or abandoned.
/// </summary>
public sealed partial class NotificationQueue(NpgsqlDataSource database)
{
    /// <summary>A notification has a Hangfire job when a try is due. If none has begun this long after, it gets another job.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

    private const int LongestError = 500;

    /// <summary>Condition on a row of jobs that ended: its notification is missing or pending. Retention does not delete it.</summary>
    internal const string IsOpenJob = """
        (jobs.spec->>'notify' IS NOT NULL AND NOT EXISTS (
            SELECT FROM notifications WHERE job_id = jobs.id AND ended_at >= jobs.finished_at AND state <> 'pending'))
        """;

    /// <summary>The same of the study @id, all jobs of which ended.</summary>
    internal const string IsOpenStudy = """
        EXISTS (SELECT FROM studies WHERE id = @id AND spec->>'notify' IS NOT NULL AND NOT EXISTS (
            SELECT FROM notifications
            WHERE study_id = @id AND ended_at >= (SELECT max(finished_at) FROM jobs WHERE study_id = @id) AND state <> 'pending'))
        """;

    /// <summary>
    /// Takes the notifications whose try has been due for a while, such as those of a killed worker. Each may still wait in Hangfire,
    /// behind others. Therefore the time until it is taken again doubles.
    /// </summary>
    /// <returns>Their ids. The caller sees to it that they are sent.</returns>
    public async Task<IReadOnlyList<Guid>> TakeOverdueAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            UPDATE notifications SET overdue_at = clock_timestamp() + greatest($1, clock_timestamp() - next_try_at)
            WHERE id = ANY (ARRAY(SELECT id FROM notifications WHERE state = 'pending' AND overdue_at <= clock_timestamp()
                                  ORDER BY overdue_at LIMIT 1000 FOR UPDATE SKIP LOCKED))
            RETURNING id
            """
        );
        command.Parameters.AddWithValue(Grace);
        var ids = new List<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            ids.Add(row.GetGuid(0));
        return ids;
    }

    /// <summary>
    /// Begins the next try of a notification if it is due, and records it in the history. No other begins before this one has ended,
    /// or a minute after the longest time that it may take.
    /// </summary>
    /// <param name="longest">The longest time that the try may take.</param>
    /// <returns>Null when no try is due: it is under way, or waits, or the notification is delivered, abandoned or deleted.</returns>
    public async Task<NotificationAttempt?> BeginAsync(Guid id, TimeSpan longest, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            WITH begun AS (
                UPDATE notifications
                SET attempts = attempts + 1, next_try_at = clock_timestamp() + $2, overdue_at = clock_timestamp() + $2
                WHERE id = $1 AND state = 'pending' AND next_try_at <= clock_timestamp() RETURNING id, attempts, address, body),
            recorded AS (
                INSERT INTO notification_attempts (notification_id, attempt, started_at) SELECT id, attempts, clock_timestamp() FROM begun)
            SELECT attempts, address, body FROM begun
            """
        );
        command.Parameters.AddWithValue(id);
        command.Parameters.AddWithValue(longest + Grace);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? new(id, row.GetInt32(0), row.GetString(1), row.GetString(2)) : null;
    }

    /// <summary>Records how a try ended, and the notification's state after it.</summary>
    /// <param name="wait">The time until the next try; null when this was the last one.</param>
    public async Task EndAsync(
        NotificationAttempt attempt,
        NotificationOutcome outcome,
        TimeSpan? wait,
        CancellationToken cancellationToken
    )
    {
        var state =
            outcome.Error is null ? NotificationState.Delivered
            : wait is null ? NotificationState.Abandoned
            : NotificationState.Pending;
        await using var command = database.CreateCommand(
            """
            WITH ended AS (
                UPDATE notification_attempts SET seconds = $3, status = $4, error = $5 WHERE notification_id = $1 AND attempt = $2)
            UPDATE notifications SET state = $6, next_try_at = clock_timestamp() + $7, overdue_at = clock_timestamp() + $7 + $8
            WHERE id = $1 AND state = 'pending' AND (attempts = $2 OR $6 = 'delivered')
            """
        );
        command.Parameters.AddWithValue(attempt.Id);
        command.Parameters.AddWithValue(attempt.Attempt);
        command.Parameters.AddWithValue(outcome.Duration.TotalSeconds);
        command.Parameters.Add(new() { Value = (object?)outcome.Status ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer });
        command.Parameters.Add(new() { Value = (object?)Shortened(outcome.Error) ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.AddWithValue(TemperDb.Word(state));
        command.Parameters.AddWithValue(wait ?? TimeSpan.Zero);
        command.Parameters.AddWithValue(Grace);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static string? Shortened(string? error) => error?.Length > LongestError ? error[..LongestError] : error;
}
