using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Rows;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>All columns of a job's row, which EF Core's model lists.</summary>
    private static string? columns;

    /// <summary>Puts a job in the queue, within the caller's transaction where <paramref name="db"/> has one open.</summary>
    /// <param name="spec">Checked: it breaks no <see cref="JobSpecRule"/>.</param>
    /// <param name="reproduces">The job whose spec it is, which may have been deleted by now; null for a job of its own.</param>
    /// <returns>The stored job, durable once the transaction is.</returns>
    public static async Task<JobRow> SubmitAsync(TemperDb db, JobSpec spec, CancellationToken cancellationToken, Guid? reproduces = null) =>
        (await InsertAsync(db, spec, null, reproduces, cancellationToken))!;

    /// <summary>
    /// Puts a job in the queue unless one with this key is there already. Of several that come at once the unique index
    /// lets one through; the others wait for it, and find it.
    /// </summary>
    /// <param name="key">The submitter's own name for this submission.</param>
    /// <returns>The job with this key, whose spec may be another's; whether it was there already.</returns>
    public static async Task<(JobRow Job, bool WasThere)> SubmitOnceAsync(
        TemperDb db,
        JobSpec spec,
        string key,
        CancellationToken cancellationToken,
        Guid? reproduces = null
    )
    {
        while (true) // the job that was there may be deleted before it is read
        {
            if (await FindByKeyAsync(db, key, cancellationToken) is { } earlier)
                return (earlier, true);
            if (await InsertAsync(db, spec, key, reproduces, cancellationToken) is { } job)
                return (job, false);
        }
    }

    /// <returns>The job that was submitted with this key; null when none was.</returns>
    public static Task<JobRow?> FindByKeyAsync(TemperDb db, string key, CancellationToken cancellationToken) =>
        db.Jobs.AsNoTracking().Include(job => job.Worker).SingleOrDefaultAsync(job => job.IdempotencyKey == key, cancellationToken);

    /// <returns>How many jobs wait to be claimed, counted up to <paramref name="most"/>.</returns>
    public async Task<int> CountQueuedAsync(int most, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT count(*)::int FROM (SELECT FROM jobs WHERE state = 'queued' LIMIT $1) waiting"
        );
        command.Parameters.AddWithValue(most);
        return (int)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>
    /// Job and notice are one statement: a caller who is told of a failure must not find the job stored, but where the
    /// answer was lost on the way.
    /// </summary>
    /// <returns>Null when there is a job with this key.</returns>
    private static async Task<JobRow?> InsertAsync(
        TemperDb db,
        JobSpec spec,
        string? key,
        Guid? reproduces,
        CancellationToken cancellationToken
    )
    {
        // Columns by name: a statement prepared with * is refused once another build has added one.
        columns ??= string.Join(
            ", ",
            db.Model.FindEntityType(typeof(JobRow))!.GetProperties().Select(property => property.GetColumnName())
        );
        var insert = $"""
            INSERT INTO jobs (id, spec, idempotency_key, reproduces, state, attempt, failures)
            VALUES (@id, @spec::jsonb, @key, (SELECT id FROM jobs WHERE id = @reproduces FOR KEY SHARE), 'queued', 0, 0)
            ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
            RETURNING {columns}, {NotifyQueued}
            """;
        NpgsqlParameter[] parameters =
        [
            new("id", Guid.CreateVersion7()), // they grow with time, which keeps their index compact
            new("spec", Json.Write(spec)),
            new("key", NpgsqlDbType.Text) { Value = (object?)key ?? DBNull.Value },
            new("reproduces", NpgsqlDbType.Uuid) { Value = (object?)reproduces ?? DBNull.Value },
        ];
        var stored = await db.Jobs.FromSqlRaw(insert, parameters).AsNoTracking().ToListAsync(cancellationToken);
        return stored.SingleOrDefault();
    }
}
