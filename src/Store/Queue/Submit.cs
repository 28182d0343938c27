using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Rows;
using Temper.Store.Tenants;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>All columns of the jobs table, from EF Core's model.</summary>
    private static string? columns;

    /// <summary>Puts a job in the queue, within the caller's transaction if <paramref name="db"/> has one open.</summary>
    /// <param name="tenant">Whose job it is.</param>
    /// <param name="spec">The caller has checked that it breaks no <see cref="JobSpecRule"/>.</param>
    /// <param name="reproduces">The job that this one repeats, which may have been deleted; null when it repeats none.</param>
    /// <returns>The stored job, durable once the transaction commits.</returns>
    /// <exception cref="PostgresException">With <see cref="TenantStore.QuotaReached"/>: the tenant may queue no more jobs.</exception>
    public static async Task<JobRow> SubmitAsync(
        TemperDb db,
        string tenant,
        JobSpec spec,
        CancellationToken cancellationToken,
        Guid? reproduces = null
    ) => (await InsertAsync(db, tenant, spec, null, reproduces, cancellationToken))!;

    /// <inheritdoc cref="SubmitAsync"/>
    /// <summary>
    /// Puts a job in the queue unless a job of this tenant with this key exists. If several calls run at the same time, the unique index
    /// lets one of them insert; the others wait for it and return its job.
    /// </summary>
    /// <param name="key">The submitter's idempotency key for this submission.</param>
    /// <returns>The job with this key, whose spec may differ from <paramref name="spec"/>; whether it existed before.</returns>
    public static async Task<(JobRow Job, bool WasThere)> SubmitOnceAsync(
        TemperDb db,
        string tenant,
        JobSpec spec,
        string key,
        CancellationToken cancellationToken,
        Guid? reproduces = null
    )
    {
        while (true) // the existing job may be deleted before it is read
        {
            if (await FindByKeyAsync(db, tenant, key, cancellationToken) is { } earlier)
                return (earlier, true);
            if (await InsertAsync(db, tenant, spec, key, reproduces, cancellationToken) is { } job)
                return (job, false);
        }
    }

    /// <returns>The job that the tenant submitted with this key; null when it submitted none.</returns>
    public static Task<JobRow?> FindByKeyAsync(TemperDb db, string tenant, string key, CancellationToken cancellationToken) =>
        db
            .Jobs.AsNoTracking()
            .Include(job => job.Worker)
            .SingleOrDefaultAsync(job => job.Tenant == tenant && job.IdempotencyKey == key, cancellationToken);

    /// <returns>The number of queued jobs, counted up to <paramref name="most"/>.</returns>
    public async Task<int> CountQueuedAsync(int most, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT count(*)::int FROM (SELECT FROM jobs WHERE state = 'queued' LIMIT $1) waiting"
        );
        command.Parameters.AddWithValue(most);
        return (int)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>
    /// One statement stores the job and sends the notice, so that a reported failure means that no job was stored. The
    /// exception is an answer lost with the connection.
    /// </summary>
    /// <returns>Null when a job with this key exists.</returns>
    private static async Task<JobRow?> InsertAsync(
        TemperDb db,
        string tenant,
        JobSpec spec,
        string? key,
        Guid? reproduces,
        CancellationToken cancellationToken
    )
    {
        // The statement names its columns: PostgreSQL rejects a statement prepared with * once another build has added a column.
        columns ??= string.Join(
            ", ",
            db.Model.FindEntityType(typeof(JobRow))!.GetProperties().Select(property => property.GetColumnName())
        );
        var insert = $"""
            INSERT INTO jobs (id, tenant, spec, spec_revision, idempotency_key, reproduces, traceparent, state, attempt, failures)
            VALUES (@id, @tenant, @spec::jsonb, @spec_revision, @key,
                    (SELECT id FROM jobs WHERE id = @reproduces FOR KEY SHARE), @traceparent, 'queued', 0, 0)
            ON CONFLICT (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
            RETURNING {columns}, {NotifyQueued}, {TenantStore.CheckQueued("tenant")}
            """;
        NpgsqlParameter[] parameters =
        [
            new("id", Guid.CreateVersion7()), // version 7 ids grow with time, which keeps the index compact
            new("tenant", tenant),
            new("spec", Json.Write(spec)),
            new("spec_revision", SpecRevision.Of(spec)),
            new("key", NpgsqlDbType.Text) { Value = (object?)key ?? DBNull.Value },
            new("reproduces", NpgsqlDbType.Uuid) { Value = (object?)reproduces ?? DBNull.Value },
            SubmittedTrace.Parameter,
        ];
        var stored = await db.Jobs.FromSqlRaw(insert, parameters).AsNoTracking().ToListAsync(cancellationToken);
        return stored.SingleOrDefault();
    }
}
