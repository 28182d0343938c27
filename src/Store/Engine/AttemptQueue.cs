using System.Data;
using Hangfire.PostgreSql;
using Hangfire.Storage;
using Npgsql;

namespace Temper.Store.Engine;

/// <summary>
/// Presents the jobs table to Hangfire as a queue. Hangfire adds nothing to it: the queue holds the jobs whose state in the
/// table is queued. A worker that dequeues a job claims it.
/// </summary>
public class AttemptQueue(NpgsqlDataSource database) : IPersistentJobQueueProvider, IPersistentJobQueue, IPersistentJobQueueMonitoringApi
{
    public IPersistentJobQueue GetJobQueue() => this;

    public IPersistentJobQueueMonitoringApi GetJobQueueMonitoringApi() => this;

    public void Enqueue(IDbConnection connection, string queue, string jobId) { }

    /// <exception cref="NotSupportedException">Always: only a worker, which overrides this, dequeues attempts.</exception>
    public virtual IFetchedJob Dequeue(string[] queues, CancellationToken cancellationToken) =>
        throw new NotSupportedException("Only a worker takes attempts.");

    public IEnumerable<string> GetQueues() => [EngineStorage.Trainings];

    /// <summary>Returns none: a queued job has no Hangfire job yet. GET /jobs?state=queued lists the queued jobs.</summary>
    public IEnumerable<long> GetEnqueuedJobIds(string queue, int from, int perPage) => [];

    public IEnumerable<long> GetFetchedJobIds(string queue, int from, int perPage) => [];

    public EnqueuedAndFetchedCountDto GetEnqueuedAndFetchedCount(string queue)
    {
        using var command = database.CreateCommand(
            "SELECT (SELECT count(*) FROM jobs WHERE state = 'queued'), (SELECT count(*) FROM jobs WHERE state = 'running')"
        );
        using var row = command.ExecuteReader();
        row.Read();
        return new() { EnqueuedCount = row.GetInt64(0), FetchedCount = row.GetInt64(1) };
    }
}
