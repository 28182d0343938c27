using Microsoft.EntityFrameworkCore;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Puts a job in the queue, within the caller's transaction where <paramref name="db"/> has one open.</summary>
    /// <param name="spec">Checked: it breaks no <see cref="JobSpecRule"/>.</param>
    /// <returns>The stored job, durable once the transaction is.</returns>
    public static Task<JobRow> SubmitAsync(TemperDb db, JobSpec spec, CancellationToken cancellationToken) => InsertAsync(db, spec, null, cancellationToken);

    /// <summary>
    /// Puts a job in the queue unless one with this key is there already. Of several that come at once the unique index
    /// lets one through; the others wait for it, and find it.
    /// </summary>
    /// <param name="key">The submitter's own name for this submission.</param>
    /// <returns>The job with this key, whose spec may be another's; whether it was there already.</returns>
    public static async Task<(JobRow Job, bool WasThere)> SubmitOnceAsync(TemperDb db, JobSpec spec, string key, CancellationToken cancellationToken)
    {
        if (await FindByKeyAsync(db, key, cancellationToken) is { } earlier) return (earlier, true);
        try
        {
            return (await InsertAsync(db, spec, key, cancellationToken), false);
        }
        catch (DbUpdateException e) when (e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "ix_jobs_idempotency_key" })
        {
            db.ChangeTracker.Clear();
            return (await FindByKeyAsync(db, key, cancellationToken) ?? throw new InvalidOperationException($"The job with idempotency key '{key}' vanished."), true);
        }
    }

    /// <returns>The job that was submitted with this key; null when none was.</returns>
    public static Task<JobRow?> FindByKeyAsync(TemperDb db, string key, CancellationToken cancellationToken) =>
        db.Jobs.AsNoTracking().Include(job => job.Worker).SingleOrDefaultAsync(job => job.IdempotencyKey == key, cancellationToken);

    /// <returns>How many jobs wait to be claimed, counted up to <paramref name="most"/>.</returns>
    public async Task<int> CountQueuedAsync(int most, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT count(*)::int FROM (SELECT FROM jobs WHERE state = 'queued' LIMIT $1) waiting");
        command.Parameters.AddWithValue(most);
        return (int)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task<JobRow> InsertAsync(TemperDb db, JobSpec spec, string? key, CancellationToken cancellationToken)
    {
        // Version 7 ids grow with time, which keeps their index compact.
        var job = new JobRow { Id = Guid.CreateVersion7(), Spec = spec, IdempotencyKey = key };
        db.Jobs.Add(job);
        // Job and notice are one transaction: a caller who is told of a failure must not find the job stored.
        await using var own = db.Database.CurrentTransaction is null ? await db.Database.BeginTransactionAsync(cancellationToken) : null;
        await db.SaveChangesAsync(cancellationToken);
        await db.Database.ExecuteSqlAsync($"SELECT pg_notify({Channel}, {QueuedNotice})", cancellationToken);
        if (own is not null) await own.CommitAsync(cancellationToken);
        return job;
    }
}
