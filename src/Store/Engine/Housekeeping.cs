using Hangfire;
using Microsoft.Extensions.Logging;
using Npgsql;
using Temper.Store.Datasets;
using Temper.Store.Queue;
using Temper.Store.Retention;
using Temper.Store.Studies;

namespace Temper.Store.Engine;

/// <summary>
/// Ordinary Hangfire jobs, which any worker runs in the background. Hangfire retries their failures and shows them on the
/// dashboard.
/// </summary>
[AutomaticRetry(Attempts = 5, DelaysInSeconds = [2, 10, 60]), FailuresExpire]
public sealed class Housekeeping(NpgsqlDataSource database, RetentionOptions retention, ILogger log)
{
    /// <summary>Keys of advisory locks: "temper" 3 and 4.</summary>
    private const long SettlingLock = 8387230210553151491,
        RemovalLock = 8387230210553151492;

    private readonly StudyQueue studies = new(database);
    private readonly JobQueue jobs = new(database);

    /// <summary>Settles a study. It is enqueued after a job of the study ends.</summary>
    [JobDisplayName("Settle study {0}")]
    public Task SettleStudyAsync(Guid study) => studies.SettleAsync(study, CancellationToken.None);

    /// <summary>
    /// Settles the studies whose worker died after a job ended and before it enqueued <see cref="SettleStudyAsync"/>.
    /// </summary>
    [JobDisplayName("Settle every study that is not over")]
    public Task SettleStudiesAsync() => AloneAsync(SettlingLock, SettleOpenStudiesAsync);

    private async Task SettleOpenStudiesAsync()
    {
        foreach (var study in await studies.ToSettleAsync(CancellationToken.None))
        {
            try
            {
                await studies.SettleAsync(study, CancellationToken.None);
            }
            catch (Exception e) when (e is not NpgsqlException)
            {
                log.LogWarning("Study {StudyId} was not settled: {Reason}", study, e.Message); // such as a spec of a newer build
            }
        }
    }

    [JobDisplayName("Clean up")]
    public async Task CleanUpAsync()
    {
        await jobs.ForgetDeadWorkersAsync(CancellationToken.None);
        // Killed processes leave locks of Hangfire's behind. No process asks again for the lock of an attempt's Hangfire job, whose name
        // has the job's id. Hangfire itself replaces its few other locks when it next asks for them. It holds a lock for moments only.
        await using var command = database.CreateCommand("DELETE FROM hangfire.lock WHERE acquired < now() - interval '10 minutes'");
        await command.ExecuteNonQueryAsync();
        await new UnusedContent(database).RemoveAllAsync(CancellationToken.None);
    }

    /// <summary>Removes the data of finished jobs that is past its retention.</summary>
    [JobDisplayName("Remove what is past its retention")]
    public Task RemoveExpiredAsync() =>
        AloneAsync(RemovalLock, () => new Removal(database, retention, log).RunAsync(CancellationToken.None));

    /// <summary>
    /// Does the work unless another process is doing it. DisableConcurrentExecution does not prevent that: Hangfire.PostgreSql drops a
    /// lock that is older than <see cref="EngineStorage"/>'s 8 s when another process asks for it. Where the connection with this
    /// lock breaks, two processes do the work at once, which costs time only: both skip the rows that the other has locked.
    /// </summary>
    private async Task AloneAsync(long key, Func<Task> work)
    {
        await using var connection = await database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(); // its end releases the lock, also behind a pooler
        await using var tryLock = new NpgsqlCommand("SELECT pg_try_advisory_xact_lock($1)", connection)
        {
            Parameters = { new() { Value = key } },
        };
        if ((bool)(await tryLock.ExecuteScalarAsync())!)
            await work();
    }
}
