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
    private readonly StudyQueue studies = new(database);
    private readonly JobQueue jobs = new(database);

    /// <summary>Settles a study. It is enqueued after a job of the study ends.</summary>
    [JobDisplayName("Settle study {0}")]
    public Task SettleStudyAsync(Guid study) => studies.SettleAsync(study, CancellationToken.None);

    /// <summary>
    /// Settles the studies whose worker died after a job ended and before it enqueued <see cref="SettleStudyAsync"/>.
    /// </summary>
    [JobDisplayName("Settle every study that is not over"), DisableConcurrentExecution(timeoutInSeconds: 30)]
    public async Task SettleStudiesAsync()
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
        // Killed processes leave locks behind. No process takes such a lock again, because each attempt's lock has another name.
        await using var command = database.CreateCommand("DELETE FROM hangfire.lock WHERE acquired < now() - interval '10 minutes'");
        await command.ExecuteNonQueryAsync();
        await new UnusedContent(database).RemoveAllAsync(CancellationToken.None);
    }

    /// <summary>Removes the data of finished jobs that is past its retention.</summary>
    [JobDisplayName("Remove what is past its retention"), DisableConcurrentExecution(timeoutInSeconds: 30)]
    public async Task RemoveExpiredAsync()
    {
        foreach (var (kind, count) in await new Removal(database, retention).RunAsync(CancellationToken.None))
            if (count > 0)
                log.LogInformation("Retention removed {Kind}: {Count} rows", kind, count);
    }
}
