using System.Text.Json.Nodes;
using Npgsql;
using Temper.Domain.Serialization;

namespace Temper.Store.Notifications;

/// <summary>The body of a notification.</summary>
/// <param name="Type">What ended and how: `job.` or `study.`, and `succeeded`, `failed` or `cancelled`.</param>
/// <param name="Timestamp">When it ended.</param>
/// <param name="Data">A <see cref="EndedJob"/> or <see cref="EndedStudy"/>.</param>
public sealed record NotificationBody<T>(string Type, DateTimeOffset Timestamp, T Data);

/// <summary>What a notification tells about a job.</summary>
/// <param name="Link">Path of the job in the API.</param>
public sealed record EndedJob(
    Guid Id,
    string? Name,
    string State,
    string? Reason,
    string Dataset,
    double Epsilon,
    int Attempt,
    Guid? Study,
    JsonNode? Result,
    string Link
);

/// <summary>What a notification tells about a study.</summary>
/// <param name="Link">Path of the study in the API.</param>
/// <param name="Recommendation">Path of its recommendation.</param>
public sealed record EndedStudy(
    Guid Id,
    string? Name,
    string State,
    int Jobs,
    int Succeeded,
    int Failed,
    int Cancelled,
    string Link,
    string Recommendation
);

public sealed partial class NotificationQueue
{
    private const int BatchSize = 500;

    /// <summary>Condition on a row of jobs or studies, named `ended`, with the time of its end: no notification has it yet.</summary>
    private static string IsNew(string column) =>
        $"NOT EXISTS (SELECT FROM notifications WHERE {column} = ended.id AND notifications.ended_at >= ended.ended_at)";

    private static readonly Kind OfJobs = new("job_id", EndedJobs, ReadJob);

    private static readonly Kind OfStudies = new("study_id", EndedStudies, ReadStudy);

    private static string EndedJobs =>
        $"""
            SELECT id, ended_at, spec->>'notify', state, spec->>'name', reason, dataset, (spec->>'epsilon')::float8, attempt, study_id,
                   result::text
            FROM (SELECT *, finished_at AS ended_at FROM jobs
                  WHERE id = ANY ($1) AND finished_at IS NOT NULL AND spec->>'notify' IS NOT NULL) ended
            WHERE {IsNew("job_id")} ORDER BY ended_at
            """;

    // A study is over, and its state is, as the API's StudyProgress shows it.
    private static string EndedStudies =>
        $"""
            SELECT id, ended_at, spec->>'notify',
                   CASE WHEN failed > 0 THEN 'failed' WHEN cancelled > dropped THEN 'cancelled' ELSE 'succeeded' END,
                   spec->>'name', jobs, succeeded, failed, cancelled
            FROM (
                SELECT studies.id, studies.spec, over.* FROM studies, LATERAL (
                    SELECT max(finished_at) AS ended_at, count(*)::int AS jobs,
                           count(*) FILTER (WHERE state = 'succeeded')::int AS succeeded,
                           count(*) FILTER (WHERE state = 'failed')::int AS failed,
                           count(*) FILTER (WHERE state = 'cancelled')::int AS cancelled,
                           count(*) FILTER (WHERE state = 'cancelled' AND dropped_at_seeds IS NOT NULL)::int AS dropped
                    FROM jobs JOIN arms USING (study_id, arm) WHERE study_id = studies.id
                    HAVING count(*) > 0 AND bool_and(finished_at IS NOT NULL)) over
                WHERE id = ANY ($1) AND spec->>'notify' IS NOT NULL) ended
            WHERE {IsNew("study_id")} ORDER BY ended_at
            """;

    /// <summary>
    /// Stores a notification for each end of a job or study that names an address and has none yet. A trigger has noted the ends
    /// in `noted_ends`, and a note stays until its notification is stored. Several processes may do so at once.
    /// </summary>
    /// <returns>The ids of the stored notifications. The caller sees to it that they are sent.</returns>
    public async Task<IReadOnlyList<Guid>> CollectAsync(CancellationToken cancellationToken)
    {
        var stored = new List<Guid>();
        for (var last = BatchSize; last == BatchSize; )
        {
            var notes = await NotesAsync(cancellationToken);
            stored.AddRange(await CollectAsync(OfJobs, notes.Select(note => note.Job), cancellationToken));
            stored.AddRange(await CollectAsync(OfStudies, notes.Select(note => note.Study), cancellationToken));
            await using var done = database.CreateCommand("DELETE FROM noted_ends WHERE id = ANY ($1)");
            done.Parameters.Add(new NpgsqlParameter<long[]> { TypedValue = [.. notes.Select(note => note.Id)] });
            await done.ExecuteNonQueryAsync(cancellationToken);
            last = notes.Count;
        }
        return stored;
    }

    /// <summary>Does the same for one job.</summary>
    public Task<IReadOnlyList<Guid>> CollectJobAsync(Guid id, CancellationToken cancellationToken) =>
        CollectAsync(OfJobs, [id], cancellationToken);

    /// <summary>Does the same for one study. The study's jobs are not included.</summary>
    public Task<IReadOnlyList<Guid>> CollectStudyAsync(Guid id, CancellationToken cancellationToken) =>
        CollectAsync(OfStudies, [id], cancellationToken);

    private async Task<IReadOnlyList<Guid>> CollectAsync(Kind kind, IEnumerable<Guid?> ids, CancellationToken cancellationToken)
    {
        var stored = new List<Guid>();
        Guid[] ended = [.. ids.OfType<Guid>().Distinct()];
        if (ended.Length > 0)
            foreach (var end in await EndsAsync(kind, ended, cancellationToken))
                if (await StoreAsync(end, kind.Column, cancellationToken) is { } id)
                    stored.Add(id);
        return stored;
    }

    private async Task<IReadOnlyList<(long Id, Guid? Job, Guid? Study)>> NotesAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand($"SELECT id, job_id, study_id FROM noted_ends ORDER BY id LIMIT {BatchSize}");
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var notes = new List<(long, Guid?, Guid?)>();
        while (await row.ReadAsync(cancellationToken))
            notes.Add((row.GetInt64(0), row.IsDBNull(1) ? null : row.GetGuid(1), row.IsDBNull(2) ? null : row.GetGuid(2)));
        return notes;
    }

    private delegate (string Type, string Body) Reader(NpgsqlDataReader row);

    /// <summary>What ends: jobs or studies.</summary>
    /// <param name="Column">The column of `notifications` that refers to it.</param>
    /// <param name="Ends">Selects those of the ids $1 that have ended and have no notification of it yet.</param>
    private sealed record Kind(string Column, string Ends, Reader Read);

    private sealed record End(Guid Id, DateTimeOffset EndedAt, string Address, string Type, string Body);

    private async Task<IReadOnlyList<End>> EndsAsync(Kind kind, Guid[] ids, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(kind.Ends);
        command.Parameters.AddWithValue(ids);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var ends = new List<End>();
        while (await row.ReadAsync(cancellationToken))
        {
            var (type, body) = kind.Read(row);
            ends.Add(new(row.GetGuid(0), row.GetFieldValue<DateTimeOffset>(1), row.GetString(2), type, body));
        }
        return ends;
    }

    /// <returns>Null when another process has stored it, or when the job or study was deleted.</returns>
    private async Task<Guid?> StoreAsync(End end, string column, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
            INSERT INTO notifications (id, {column}, ended_at, type, address, body, state, attempts, next_try_at, overdue_at)
            SELECT $1, id, $3, $4, $5, $6, 'pending', 0, clock_timestamp(), clock_timestamp() + $7
            FROM {(column == "job_id" ? "jobs" : "studies")} WHERE id = $2 FOR KEY SHARE
            ON CONFLICT ({column}, ended_at) WHERE {column} IS NOT NULL DO NOTHING RETURNING id
            """
        );
        command.Parameters.AddWithValue(Guid.CreateVersion7());
        command.Parameters.AddWithValue(end.Id);
        command.Parameters.AddWithValue(end.EndedAt);
        command.Parameters.AddWithValue(end.Type);
        command.Parameters.AddWithValue(end.Address);
        command.Parameters.AddWithValue(end.Body);
        command.Parameters.AddWithValue(Grace);
        return (Guid?)await command.ExecuteScalarAsync(cancellationToken);
    }

    private static (string Type, string Body) ReadJob(NpgsqlDataReader row)
    {
        var (id, state) = (row.GetGuid(0), row.GetString(3));
        return Write(
            row,
            $"job.{state}",
            new EndedJob(
                id,
                row.IsDBNull(4) ? null : row.GetString(4),
                state,
                row.IsDBNull(5) ? null : row.GetString(5),
                row.GetString(6),
                row.GetDouble(7),
                row.GetInt32(8),
                row.IsDBNull(9) ? null : row.GetGuid(9),
                row.IsDBNull(10) ? null : JsonNode.Parse(row.GetString(10)),
                $"/jobs/{id}"
            )
        );
    }

    private static (string Type, string Body) ReadStudy(NpgsqlDataReader row)
    {
        var (id, state) = (row.GetGuid(0), row.GetString(3));
        return Write(
            row,
            $"study.{state}",
            new EndedStudy(
                id,
                row.IsDBNull(4) ? null : row.GetString(4),
                state,
                row.GetInt32(5),
                row.GetInt32(6),
                row.GetInt32(7),
                row.GetInt32(8),
                $"/studies/{id}",
                $"/studies/{id}/recommendation"
            )
        );
    }

    private static (string Type, string Body) Write<T>(NpgsqlDataReader row, string type, T data) =>
        (type, Json.Write(new NotificationBody<T>(type, row.GetFieldValue<DateTimeOffset>(1), data)));
}
