using System.Data;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Studies;

namespace Temper.Store.Events;

/// <summary>Whose changes are read: one job's, those of a study and its jobs, a tenant's, or all.</summary>
public readonly record struct EventScope(Guid? Job, Guid? Study, string? Tenant)
{
    public static EventScope All => default;

    public static EventScope OfJob(Guid id) => new(id, null, null);

    public static EventScope OfStudy(Guid id) => new(null, id, null);

    public static EventScope OfTenant(string name) => new(null, null, name);
}

/// <summary>
/// Reads what changed after a position. Each row names the transaction that last changed it. A row is new to a client when this
/// transaction is not in the set of transactions that the client has seen. Transactions do not commit in the order of their ids,
/// but a set is exact, so that no change is missed or read twice. A row that changed several times is read once, as it is now.
/// </summary>
public sealed class EventReader(NpgsqlDataSource database)
{
    /// <summary>The most rows of a kind in one read, which then ends with the transaction of the last of them.</summary>
    private const int PageRows = 2000;

    /// <summary>
    /// The most epochs, attempts or states of jobs, each counted by itself and of all tenants, that a client may have missed. The
    /// statement of a page then takes well under a second, also for a tenant that owns none of them.
    /// </summary>
    public const int MostMissed = 100_000;

    private const string RunningAttempts = """
        SELECT jobs.id, study_id, sequence, attempt_changed, attempt, workers.name, NULL, NULL, claimed_at, training_started_at,
            NULL::timestamptz, attempt_note, NULL, tenant
        FROM jobs JOIN workers ON workers.id = worker_id WHERE state = 'running'
        """;

    private const string EndedAttempts = """
        SELECT job_id, study_id, sequence, changed, attempts.attempt, worker, outcome, attempts.reason, attempts.claimed_at,
            attempts.training_started_at, ended_at, note, error_output, tenant
        FROM attempts JOIN jobs ON jobs.id = job_id WHERE true
        """;

    private const string Epochs = """
        SELECT job_id, study_id, sequence, changed, epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, ece,
            signed_gap, learning_rate, seconds, images_per_second, validation_loss_after_temperature, tenant
        FROM epochs JOIN jobs ON jobs.id = job_id WHERE true
        """;

    private const string States = """
        SELECT jobs.id, study_id, sequence, state_changed, attempt, state, stop_requested, reason,
            coalesce(state_changed_at, finished_at, claimed_at, created_at), tenant
        FROM jobs WHERE true
        """;

    private const string Studies = "SELECT id, id, sequence, changed, tenant FROM studies WHERE true";

    private const string Now = "SELECT pg_current_snapshot()::text";

    /// <returns>The set of all committed transactions.</returns>
    public async Task<Snapshot> NowAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Now);
        return Snapshot.Parse((string)(await command.ExecuteScalarAsync(cancellationToken))!)!;
    }

    /// <returns>Whether more than <see cref="MostMissed"/> rows of a kind have changed since the position.</returns>
    public async Task<bool> IsFarBehindAsync(Position after, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"SELECT {More("epochs", "changed")} OR {More("attempts", "changed")} OR " + More("jobs", "state_changed")
        );
        command.Parameters.AddWithValue("next", NpgsqlDbType.Xid8, after.Seen.Next);
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;

        // In the order of the index, which has all that is read.
        static string More(string table, string changed) =>
            $"EXISTS (SELECT {changed} FROM {table} WHERE {changed} >= @next ORDER BY {changed} OFFSET {MostMissed} LIMIT 1)";
    }

    /// <param name="after">Returns only changes after this position. After <see cref="Snapshot.Empty"/> come all rows of the scope,
    /// which must then be a job.</param>
    /// <param name="wantsStudy">Says of which studies the counts are read. Null: of none.</param>
    public async Task<Changes> ReadAsync(
        EventScope scope,
        Position after,
        Func<Guid, string, bool>? wantsStudy,
        CancellationToken cancellationToken
    )
    {
        if (after.Rest is null)
            return await ReadPageAsync(scope, after, wantsStudy, cancellationToken);
        // The rest of a transaction comes first, by itself. Then it counts as seen in all positions that follow.
        var rest = await ReadPageAsync(scope, after, wantsStudy, cancellationToken);
        return rest.Items.Count > 0 ? rest : await ReadPageAsync(scope, new(rest.End, null), wantsStudy, cancellationToken);
    }

    private async Task<Changes> ReadPageAsync(
        EventScope scope,
        Position after,
        Func<Guid, string, bool>? wantsStudy,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var now = await NowAsync(connection, cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        void Add(string rows, string changed, string jobColumn, string studyColumn = "study_id") =>
            batch.BatchCommands.Add(Select(rows, changed, scope, jobColumn, studyColumn, after));
        Add(RunningAttempts, "attempt_changed", "jobs.id");
        Add(EndedAttempts, "changed", "job_id");
        Add(Epochs, "changed", "job_id");
        Add(States, "state_changed", "jobs.id");
        if (wantsStudy is not null)
            Add(Studies, "changed", "id", "id");

        var page = new Page(after, now);
        await using (var row = await batch.ExecuteReaderAsync(cancellationToken))
        {
            await page.AddAsync(row, page.AddAttempt, cancellationToken);
            await page.AddAsync(row, page.AddAttempt, cancellationToken);
            await page.AddAsync(row, page.AddEpoch, cancellationToken);
            await page.AddAsync(row, page.AddState, cancellationToken);
            if (wantsStudy is not null)
                await page.AddAsync(row, page.NoteStudy, cancellationToken);
        }
        if (wantsStudy is not null)
        {
            var changed = page.ChangedStudies(wantsStudy);
            if (changed.Count > 0)
                foreach (var study in await StudyReader.SummariesAsync(connection, [.. changed.Keys], cancellationToken))
                    page.Add(
                        new(changed[study.Id], EventKind.Study, study.Sequence, 0),
                        (key, position) => new StudyChange(key, position, study)
                    );
        }
        await transaction.CommitAsync(cancellationToken);
        return page.Changes();
    }

    /// <returns>The states of a study's jobs in the order of submission, and the study last; null when there is no such
    /// study.</returns>
    public async Task<Changes?> ReadStudyAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var now = await NowAsync(connection, cancellationToken);
        if (await StudyReader.SummariesAsync(connection, [id], cancellationToken) is not [var study])
            return null;
        var page = new Page(new(Snapshot.Empty, null), now);
        await using (var command = new NpgsqlCommand($"{States} AND study_id = $1", connection) { Parameters = { new() { Value = id } } })
        await using (var row = await command.ExecuteReaderAsync(cancellationToken))
            await page.AddAsync(row, page.AddState, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        // A client that loses its connection within this list gets it anew.
        var start = new Position(Snapshot.Empty, null);
        var states = page.Changes().Items.OrderBy(change => change.Key.Sequence).Select(change => change with { Position = start });
        var last = new StudyChange(new(0, EventKind.Study, study.Sequence, 0), new(now, null), study);
        return new([.. states, last], now, HasMore: false);
    }

    /// <returns>The progress of every running attempt that has reported any.</returns>
    public async Task<IReadOnlyList<Progress>> ProgressAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT id, study_id, progress::text, tenant FROM jobs WHERE state = 'running' AND progress IS NOT NULL"
        );
        var running = new List<Progress>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            running.Add(
                new(
                    row.GetGuid(0),
                    row.IsDBNull(1) ? null : row.GetGuid(1),
                    row.GetString(3),
                    Json.Read<TrainingProgress>(row.GetString(2))
                )
            );
        return running;
    }

    /// <returns>Those of the jobs and studies that exist.</returns>
    public async Task<IReadOnlySet<Guid>> ExistingAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT id FROM jobs WHERE id = ANY ($1) UNION ALL SELECT id FROM studies WHERE id = ANY ($1)"
        );
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. ids] });
        var existing = new HashSet<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            existing.Add(row.GetGuid(0));
        return existing;
    }

    /// <returns>The job's state; null when there is no such job.</returns>
    public async Task<JobState?> StateAsync(Guid job, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT state FROM jobs WHERE id = $1");
        command.Parameters.AddWithValue(job);
        return await command.ExecuteScalarAsync(cancellationToken) is string state ? TemperDb.Parse<JobState>(state) : null;
    }

    /// <returns>The study's counts; null when there is no such study.</returns>
    public async Task<StudySummary?> StudyAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return (await StudyReader.SummariesAsync(connection, [id], cancellationToken)).SingleOrDefault();
    }

    private static async Task<Snapshot> NowAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(Now, connection);
        return Snapshot.Parse((string)(await command.ExecuteScalarAsync(cancellationToken))!)!;
    }

    private static NpgsqlBatchCommand Select(
        string rows,
        string changed,
        EventScope scope,
        string jobColumn,
        string studyColumn,
        Position after
    )
    {
        var command = new NpgsqlBatchCommand();
        // The planner knows no index of the expression with the tenant, so it follows the index of transactions. Otherwise it might
        // begin with all jobs of the tenant, which may have a million rows.
        var (column, only) =
            scope.Job is { } job ? (jobColumn, (object?)job)
            : scope.Study is { } study ? (studyColumn, (object?)study)
            : ("(tenant || '')", scope.Tenant);
        if (only is not null)
        {
            rows += $" AND {column} = @scope";
            command.Parameters.AddWithValue("scope", only);
        }
        // Ids that this server has not reached are those of another server, from before a restore from a dump.
        var reached = $" AND {changed} < pg_snapshot_xmax(pg_current_snapshot())";
        if (after.Rest is { } rest)
        {
            rows += $" AND {changed} = @rest{reached}";
            command.Parameters.AddWithValue("rest", NpgsqlDbType.Xid8, rest);
        }
        else if (!after.IsStart)
        {
            // The index gives exactly these rows, also while one transaction stays open for hours.
            var first = $"FETCH FIRST {PageRows} ROWS WITH TIES";
            rows =
                $"({rows} AND {changed} = ANY (@unseen){reached} ORDER BY {changed} {first}) UNION ALL "
                + $"({rows} AND {changed} >= @next{reached} ORDER BY {changed} {first}) ORDER BY 4 {first}";
            command.Parameters.AddWithValue("unseen", NpgsqlDbType.Array | NpgsqlDbType.Xid8, after.Seen.Unseen.ToArray());
            command.Parameters.AddWithValue("next", NpgsqlDbType.Xid8, after.Seen.Next);
        }
        command.CommandText = rows;
        return command;
    }

    /// <summary>
    /// Collects the rows of one read. The first four columns are the id of the job, its study, the sequence number and the
    /// transaction; the last is the tenant.
    /// </summary>
    private sealed class Page(Position after, Snapshot now)
    {
        private readonly List<Change> changes = [];
        private readonly List<(Guid Study, string Tenant, ulong Transaction)> studies = [];
        private readonly Dictionary<ulong, Snapshot> before = [];
        private ulong last = ulong.MaxValue;

        /// <summary>Reads one result and moves to the next.</summary>
        public async Task AddAsync(NpgsqlDataReader row, Action<NpgsqlDataReader, ulong> add, CancellationToken cancellationToken)
        {
            var (rows, transaction) = (0, 0ul);
            for (; await row.ReadAsync(cancellationToken); rows++)
            {
                transaction = !row.IsDBNull(3) && row.GetFieldValue<ulong>(3) is var id && now.Sees(id) ? id : 0;
                add(row, transaction);
            }
            if (rows >= PageRows && !after.IsStart && after.Rest is null)
                last = Math.Min(last, transaction);
            await row.NextResultAsync(cancellationToken);
        }

        public void AddAttempt(NpgsqlDataReader row, ulong transaction) =>
            Add(
                new(transaction, EventKind.Attempt, row.GetInt64(2), row.GetInt32(4)),
                (key, position) =>
                    new AttemptChange(
                        key,
                        position,
                        row.GetGuid(0),
                        Study(row),
                        Tenant(row),
                        row.GetString(5),
                        Text(row, 6) is { } outcome ? TemperDb.Parse<AttemptOutcome>(outcome) : null,
                        Text(row, 7),
                        row.GetFieldValue<DateTimeOffset>(8),
                        Time(row, 9),
                        Time(row, 10),
                        Text(row, 11),
                        Text(row, 12)
                    )
            );

        public void AddEpoch(NpgsqlDataReader row, ulong transaction) =>
            Add(
                new(transaction, EventKind.Epoch, row.GetInt64(2), row.GetInt32(4)),
                (key, position) => new EpochChange(key, position, row.GetGuid(0), Study(row), Tenant(row), JobReader.ReadEpoch(row, 4))
            );

        public void AddState(NpgsqlDataReader row, ulong transaction)
        {
            NoteStudy(row, transaction);
            Add(
                new(transaction, EventKind.State, row.GetInt64(2), 0),
                (key, position) =>
                    new StateChange(
                        key,
                        position,
                        row.GetGuid(0),
                        Study(row),
                        Tenant(row),
                        TemperDb.Parse<JobState>(row.GetString(5)),
                        Text(row, 6) is { } stop ? TemperDb.Parse<StopRequest>(stop) : null,
                        Text(row, 7),
                        row.GetInt32(4),
                        row.GetFieldValue<DateTimeOffset>(8)
                    )
            );
        }

        /// <summary>Notes that the study's counts may have changed.</summary>
        public void NoteStudy(NpgsqlDataReader row, ulong transaction)
        {
            if (Study(row) is { } study)
                studies.Add((study, Tenant(row), transaction));
        }

        public void Add(EventKey key, Func<EventKey, Position, Change> change)
        {
            if (after.Has(key))
                return;
            if (!before.TryGetValue(key.Transaction, out var seen))
                before[key.Transaction] = seen = after.Rest is null ? after.Seen.Before(key.Transaction, now) : after.Seen;
            changes.Add(change(key, new(seen, key)));
        }

        /// <returns>The wanted studies whose counts may have changed, with the last transaction that may have changed them.</returns>
        public Dictionary<Guid, ulong> ChangedStudies(Func<Guid, string, bool> wantsStudy) =>
            studies
                .Where(study => study.Transaction <= last)
                .GroupBy(study => (study.Study, study.Tenant))
                .Where(group => wantsStudy(group.Key.Study, group.Key.Tenant))
                .ToDictionary(group => group.Key.Study, group => group.Max(study => study.Transaction));

        public Changes Changes()
        {
            var inOrder = changes.Where(change => change.Key.Transaction <= last).OrderBy(change => change.Key).ToList();
            return after.Rest is { } rest ? new(inOrder, after.Seen.With(rest), HasMore: true)
                : last < ulong.MaxValue ? new(inOrder, after.Seen.Before(last + 1, now), HasMore: true)
                : new(inOrder, now, HasMore: false);
        }

        private static string Tenant(NpgsqlDataReader row) => row.GetString(row.FieldCount - 1);

        private static Guid? Study(NpgsqlDataReader row) => row.IsDBNull(1) ? null : row.GetGuid(1);

        private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

        private static DateTimeOffset? Time(NpgsqlDataReader row, int column) =>
            row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
    }
}
