using NpgsqlTypes;

namespace Temper.Store.Queue;

/// <param name="Outcome">The attempt's outcome from the history; `gone` when its job was deleted.</param>
/// <param name="Reason">Null when the history has no reason.</param>
public sealed record EndedAttempt(Guid Job, int Attempt, string Outcome, string? Reason);

public sealed partial class JobQueue
{
    /// <summary>
    /// Selects the attempts that are over: those of rescued jobs at once, the others five seconds after they ended.
    /// </summary>
    public async Task<IReadOnlyList<EndedAttempt>> EndedAsync(
        IReadOnlyList<(Guid Job, int Attempt)> attempts,
        CancellationToken cancellationToken
    )
    {
        // One statement reads both tables, so that an attempt does not seem ended because of a change between two reads.
        await using var command = database.CreateCommand(
            """
            SELECT held.id, held.attempt, coalesce(attempts.outcome, 'gone'), attempts.reason
            FROM unnest($1, $2) AS held(id, attempt)
            LEFT JOIN attempts ON attempts.job_id = held.id AND attempts.attempt = held.attempt
            WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.id = held.id AND jobs.attempt = held.attempt AND jobs.state = 'running')
              AND (outcome = 'lost' OR coalesce(ended_at, '-infinity') < clock_timestamp() - interval '5 seconds')
            """
        );
        command.Parameters.Add(
            new() { Value = attempts.Select(one => one.Job).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid }
        );
        command.Parameters.Add(
            new() { Value = attempts.Select(one => one.Attempt).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer }
        );
        var ended = new List<EndedAttempt>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            ended.Add(new(row.GetGuid(0), row.GetInt32(1), row.GetString(2), row.IsDBNull(3) ? null : row.GetString(3)));
        return ended;
    }

    /// <returns>How the attempt ended; null before its end.</returns>
    public async Task<EndedAttempt?> OutcomeAsync(Guid job, int attempt, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT outcome, reason FROM attempts WHERE job_id = $1 AND attempt = $2");
        command.Parameters.AddWithValue(job);
        command.Parameters.AddWithValue(attempt);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? new(job, attempt, row.GetString(0), row.IsDBNull(1) ? null : row.GetString(1))
            : null;
    }

    /// <returns>The workers that sent a heartbeat within the last five seconds.</returns>
    public async Task<IReadOnlyCollection<Guid>> LivingWorkersAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT id FROM workers WHERE heartbeat_at > clock_timestamp() - interval '5 seconds'"
        );
        var living = new HashSet<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            living.Add(row.GetGuid(0));
        return living;
    }
}
