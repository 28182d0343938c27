using Hangfire;
using Microsoft.Extensions.Logging;
using Npgsql;
using Temper.Store.Queue;
using Temper.Store.Retention;
using Temper.Store.Studies;

namespace Temper.Store.Engine;

/// <summary>
/// Ordinary jobs of Hangfire's, which some worker runs behind requests and trainings. Their failures are retried and
/// shown on the dashboard.
/// </summary>
[AutomaticRetry(Attempts = 5, DelaysInSeconds = [2, 10, 60]), FailuresExpire]
public sealed class Housekeeping(NpgsqlDataSource database, RetentionOptions retention, ILogger log)
{
    private readonly StudyQueue studies = new(database);
    private readonly JobQueue jobs = new(database);

    /// <summary>After the end of a study's job.</summary>
    [JobDisplayName("Settle study {0}")]
    public Task SettleStudyAsync(Guid study) => studies.SettleAsync(study, CancellationToken.None);

    /// <summary>For studies whose worker died between the end of a job and the enqueuing of this.</summary>
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
                log.LogWarning("Study {StudyId} was not settled: {Reason}", study, e.Message); // such as a newer build's spec
            }
        }
    }

    [JobDisplayName("Clean up")]
    public async Task CleanUpAsync()
    {
        await jobs.ForgetDeadWorkersAsync(CancellationToken.None);
        // Those of killed processes, which nobody takes again because each attempt has a name of its own.
        await using var command = database.CreateCommand("DELETE FROM hangfire.lock WHERE acquired < now() - interval '10 minutes'");
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>What finished jobs no longer keep.</summary>
    [JobDisplayName("Remove what is past its retention"), DisableConcurrentExecution(timeoutInSeconds: 30)]
    public async Task RemoveExpiredAsync()
    {
        foreach (var (kind, count) in await new Removal(database, retention).RunAsync(CancellationToken.None))
            if (count > 0)
                log.LogInformation("Retention removed {Kind}: {Count} rows", kind, count);
    }
}
