using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Puts a job in the queue, within the caller's transaction where <paramref name="db"/> has one open.</summary>
    /// <param name="spec">Checked: it breaks no <see cref="JobSpecRule"/>.</param>
    /// <returns>The stored job, durable once the transaction is.</returns>
    public static async Task<JobRow> SubmitAsync(TemperDb db, JobSpec spec, CancellationToken cancellationToken)
    {
        // Version 7 ids grow with time, which keeps their index compact.
        var job = new JobRow { Id = Guid.CreateVersion7(), Spec = spec };
        db.Jobs.Add(job);
        // Job and notice are one transaction: a caller who is told of a failure must not find the job stored.
        await using var own = db.Database.CurrentTransaction is null ? await db.Database.BeginTransactionAsync(cancellationToken) : null;
        await db.SaveChangesAsync(cancellationToken);
        await db.Database.ExecuteSqlAsync($"SELECT pg_notify({Channel}, {QueuedNotice})", cancellationToken);
        if (own is not null) await own.CommitAsync(cancellationToken);
        return job;
    }
}
